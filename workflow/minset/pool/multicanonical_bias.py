"""The bias of a multicanonical run: a function of enthalpy and crystalline order that learns."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from minset.pool.multicanonical import WAVES
from minset.units import BOLTZMANN_EV_K

WIDTH = 1.5  # of what a visit adds, in bins
# a bin is flat that has this share of the mean; visits before that can be; smallest share of the weight
FLAT, LEAST_VISITS, LEAST_WEIGHT = 0.2, 1500, 1 / 32


def order(
    positions_A: np.ndarray, cell_A: np.ndarray, waves: np.ndarray
) -> tuple[float, np.ndarray]:
    """Crystalline order Q = mean over the waves of |sum_j exp(2 pi i G s_j)|^2 / N^2, and its gradient.

    s are fractional coordinates, so that a change of the cell alone changes nothing: no virial.

    Parameters
    ----------
    positions_A, cell_A
        Shapes (n, 3) and (3, 3), lattice vectors as rows.
    waves
        G, shape (g, 3), integers.

    Returns
    -------
    order, gradient_inverse_A
        1 for the crystal at rest, about 1/N for a liquid; shape (n, 3).
    """
    inverse, n = np.linalg.inv(cell_A), len(positions_A)
    g = 2 * np.pi * np.asarray(waves, float)
    phases = (positions_A @ inverse) @ g.T
    cosines, sines = np.cos(phases), np.sin(phases)
    c, s = cosines.sum(axis=0), sines.sum(axis=0)
    value = float(np.mean(c**2 + s**2)) / n**2
    by_fraction = (2 / n**2 / len(g)) * ((s * cosines - c * sines) @ g)
    return value, by_fraction @ inverse.T


@dataclass
class Bias:
    """A bias B(H, Q) in eV on knots, between which it is a bicubic spline; and how it learns.

    Beyond the knots of the enthalpy it goes on with the slopes of canonical ensembles, dB/dH = T0/T - 1
    at the bath's T0, so that the weight is exp[-(H + B)/(kB T0)].

    Attributes
    ----------
    enthalpies_eV, orders
        Knots, shapes (h,) and (q,).
    values_eV
        Shape (h, q).
    slopes
        dB/dH below the first and above the last knot of the enthalpy.
    visits
        Visits since the weight was last halved, shape (h - 1,).
    first_weight_eV, weight_eV
        What a visit adds, at first and now.
    """

    enthalpies_eV: np.ndarray
    orders: np.ndarray
    values_eV: np.ndarray
    slopes: tuple[float, float]
    visits: np.ndarray
    first_weight_eV: float
    weight_eV: float

    @cached_property
    def spline(self):
        from scipy.interpolate import RectBivariateSpline

        return RectBivariateSpline(self.enthalpies_eV, self.orders, self.values_eV)

    def at(self, enthalpy_eV: float, order: float) -> tuple[float, float, float]:
        """B in eV, dB/dH and dB/dQ in eV."""
        low, high = self.enthalpies_eV[[0, -1]]
        h, q = min(max(enthalpy_eV, low), high), min(max(order, 0.0), 1.0)
        value = float(self.spline(h, q, grid=False))
        by_order = float(self.spline(h, q, dy=1, grid=False))
        if h == enthalpy_eV:
            return value, float(self.spline(h, q, dx=1, grid=False)), by_order
        slope = self.slopes[0] if enthalpy_eV < low else self.slopes[1]
        return value + (enthalpy_eV - h) * slope, slope, by_order

    def count(self, enthalpy_eV: float) -> None:
        """Note a visit; halve the weight where all enthalpies have been visited evenly."""
        place = np.searchsorted(self.enthalpies_eV, enthalpy_eV, side="right") - 1
        if 0 <= place < len(self.visits):
            self.visits[place] += 1
        flat = self.visits.min() > FLAT * self.visits.mean() and self.visits.sum() > LEAST_VISITS
        if flat and self.weight_eV > LEAST_WEIGHT * self.first_weight_eV:
            self.weight_eV /= 2
            self.visits[:] = 0

    def deposit(self, enthalpy_eV: float, order: float) -> None:
        """Raise the bias about a visit by a Gaussian of two variables, mirrored at the edges."""
        knots, step = self.enthalpies_eV, self.enthalpies_eV[1] - self.enthalpies_eV[0]
        if not knots[0] - 3 * WIDTH * step < enthalpy_eV < knots[-1] + 3 * WIDTH * step:
            return
        h = min(max(enthalpy_eV, knots[0]), knots[-1])
        along_h = _bump(knots, WIDTH * step, h, 2 * knots[0] - h, 2 * knots[-1] - h)
        along_q = _bump(self.orders, WIDTH * (self.orders[1] - self.orders[0]), order, -order)
        self.values_eV = self.values_eV + self.weight_eV * np.outer(along_h, along_q)
        self.__dict__.pop("spline", None)

    def save(self, path) -> None:
        """Write all of it."""
        np.savez(path, **{key: value for key, value in self.__dict__.items() if key != "spline"})


def _bump(knots: np.ndarray, width: float, *centers: float) -> np.ndarray:
    return sum(np.exp(-0.5 * ((knots - center) / width) ** 2) for center in centers)


def fresh_bias(run: dict) -> Bias:
    """The bias with which a run begins: zero between the limits of the enthalpy."""
    low, high = (value * run["ions"] for value in run["enthalpies_eV_atom"])
    bath = run["bath_K"]
    h, q = run["enthalpy_bins"] + 1, run["order_bins"] + 1
    weight = run["weight_kT"] * BOLTZMANN_EV_K * bath
    return Bias(
        enthalpies_eV=np.linspace(low, high, h),
        orders=np.linspace(0, 1, q),
        values_eV=np.zeros((h, q)),
        slopes=tuple(bath / temperature - 1 for temperature in run["temperatures_K"]),
        visits=np.zeros(h - 1),
        first_weight_eV=weight,
        weight_eV=weight,
    )


def saved_bias(path) -> Bias:
    """As written by `Bias.save`."""
    with np.load(path, allow_pickle=False) as file:
        content = {key: file[key] for key in file.files}
    for key in ("first_weight_eV", "weight_eV"):
        content[key] = float(content[key])
    return Bias(**content | {"slopes": tuple(content["slopes"].tolist())})


def waves_of(structure: str, repetitions: tuple[int, int, int]) -> np.ndarray:
    """Waves of a crystal of so many conventional cells along each edge, shape (g, 3)."""
    return np.array(WAVES[structure]) * np.array(repetitions)


def repetitions_that_fit(cell_A: np.ndarray, unit_A: np.ndarray) -> tuple[int, int, int]:
    """Conventional cells along each edge of a cell that was made of them."""
    lengths = np.linalg.norm(cell_A, axis=1) / np.linalg.norm(unit_A, axis=1)
    return tuple(int(k) for k in np.rint(lengths))
