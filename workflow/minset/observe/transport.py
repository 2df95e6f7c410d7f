"""Self-diffusion and ionic conductivity: slopes of mean squared displacements (Einstein).

The cell must be constant (NVT, NVE), because unwrapped positions carry the scaling of a cell. Lags
and fits are those of ``minset.observe.walkers``.
"""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from ase.data import atomic_masses, atomic_numbers

from minset.md.trajectory import Trajectory, frame_interval, ordered_species, read_trajectory
from minset.observe.record import Observable, Table, experimental_rows, without_rows
from minset.observe.walkers import Fit, fit_walkers
from minset.system import reference_conductivity_S_cm, reference_diffusion_1e9_m2_s

if TYPE_CHECKING:
    import scipp as sc


def observe_transport(source: dict, system: dict, settings: dict, threads: int = 1) -> dict:
    """Tables ``msd``, ``diffusion`` and ``conductivity`` of a simulation, see `Observable`.

    Atoms without charges have no conductivity. A run that broke has no rows.
    """
    if not source["verdict"]["stable"]:
        return without_rows(RECORD.tables, "the simulation broke")
    run, dt_ps = read_trajectory(source["trajectory"]), settings["timestep_fs"] / 1000
    fits = species_fits(run, dt_ps, settings["start_ps"])
    tables = {"msd": msd_table(fits), "diffusion": diffusion_table(fits)}
    if not run.charges.any():
        return tables | without_rows(["conductivity"], "the atoms have no charges")
    conductivity = ionic_conductivity(run, dt_ps, settings["temperature_K"], settings["start_ps"])
    return tables | {"conductivity": conductivity}


def transport_mistakes(settings: dict, simulation: dict, edge_A: float | None) -> list[str]:
    """A simulation too short for lags from ``start_ps`` on."""
    lags_ps = 10 * settings["start_ps"]
    if simulation["duration_ps"] >= lags_ps:
        return []
    return [
        f"duration_ps: {simulation['duration_ps']:g} ps is less than ten times "
        f"transport.start_ps; run at least {lags_ps:g} ps"
    ]


def experimental_diffusion(reference: dict, temperature_K: float) -> list[dict]:
    """Rows of the self-diffusion fits of each species."""
    rows = []
    for species, fit in reference.get("self_diffusion", {}).items():
        value = float(reference_diffusion_1e9_m2_s(fit, temperature_K))
        for row in experimental_rows(fit, value, "diffusion", "1e-9_m2_s"):
            rows.append({"source": row.pop("source"), "species": species} | row)
    return rows


def experimental_conductivity(reference: dict, temperature_K: float) -> list[dict]:
    """Row of the conductivity fit."""
    if "ionic_conductivity" not in reference:
        return []
    fit = reference["ionic_conductivity"]
    value = float(reference_conductivity_S_cm(fit, temperature_K))
    return experimental_rows(fit, value, "conductivity", "S_cm")


def self_diffusion(
    trajectory: Trajectory,
    dt_ps: float,
    start_ps: float = 2.0,
    max_frames: int = 5000,
    seed: int = 0,
) -> pd.DataFrame:
    """Self-diffusion coefficient of each species: slope of its MSD / 6 (Einstein).

    No correction for the size of the cell. Drift of the centre of mass is removed.

    Parameters
    ----------
    trajectory
        See `Trajectory`; constant cell.
    dt_ps
        MD time step in ps.
    start_ps
        Lag in ps from which the motion is diffusive.
    max_frames
        Longer trajectories are thinned evenly to at most about this many frames.
    seed
        Of the Monte Carlo sampling of the fit.

    Returns
    -------
    pd.DataFrame
        Of `diffusion_table`.

    Raises
    ------
    ValueError
        If the cell changes or the trajectory is shorter than ten times `start_ps`.
    """
    return diffusion_table(species_fits(trajectory, dt_ps, start_ps, max_frames, seed))


def mean_squared_displacement(
    trajectory: Trajectory,
    dt_ps: float,
    start_ps: float = 2.0,
    max_frames: int = 5000,
    seed: int = 0,
) -> pd.DataFrame:
    """Table of `msd_table`; parameters and errors are those of `self_diffusion`."""
    return msd_table(species_fits(trajectory, dt_ps, start_ps, max_frames, seed))


def species_fits(
    trajectory: Trajectory,
    dt_ps: float,
    start_ps: float = 2.0,
    max_frames: int = 5000,
    seed: int = 0,
) -> dict[str, Fit]:
    """Fit of each species, relative to the centre of mass of all atoms.

    Parameters and errors are those of `self_diffusion`.
    """
    positions, frame_ps = _thinned(trajectory, dt_ps, max_frames)
    masses = atomic_masses[[atomic_numbers[name] for name in trajectory.species]]
    centre = np.einsum("i,tix->tx", masses / masses.sum(), positions)
    fits = {}
    for symbol in ordered_species(trajectory):
        chosen = positions[:, trajectory.species == symbol] - centre[:, None, :]
        fits[symbol] = fit_walkers(chosen, frame_ps, start_ps, seed)
    return fits


def diffusion_table(fits: dict[str, Fit]) -> pd.DataFrame:
    """Self-diffusion coefficients from the fits of `species_fits`.

    Returns
    -------
    pd.DataFrame
        ``species``, ``diffusion_1e-9_m2_s`` (posterior mean), ``diffusion_stderr_1e-9_m2_s``
        (posterior standard deviation) and ``diffusion_ci_low_1e-9_m2_s``,
        ``diffusion_ci_high_1e-9_m2_s`` (central 95 %); ``note`` where there is one to make.
    """
    import scipp as sc

    def coefficient(slope: "sc.Variable") -> np.ndarray:
        return sc.to_unit(slope / 6, "1e-9 m^2/s").values

    rows = [
        {"species": symbol} | _cells(fit, coefficient, "diffusion", "1e-9_m2_s")
        for symbol, fit in fits.items()
    ]
    return _without_empty_notes(rows)


def msd_table(fits: dict[str, Fit]) -> pd.DataFrame:
    """Mean squared displacements with the lines of `species_fits`.

    Returns
    -------
    pd.DataFrame
        ``species``, ``time_ps`` (lag), ``msd_A2``, ``msd_stderr_A2`` and ``fit_A2``, NaN at lags
        that are not fitted.
    """
    tables = []
    for symbol, fit in fits.items():
        line = fit.slope_A2_ps * fit.lags_ps + fit.intercept_A2
        tables.append(
            pd.DataFrame(
                {
                    "species": symbol,
                    "time_ps": fit.lags_ps,
                    "msd_A2": fit.msd_A2,
                    "msd_stderr_A2": fit.msd_stderr_A2,
                    "fit_A2": np.where(np.arange(len(line)) < fit.first, np.nan, line),
                }
            )
        )
    return pd.concat(tables, ignore_index=True)


def ionic_conductivity(
    trajectory: Trajectory,
    dt_ps: float,
    temperature_K: float,
    start_ps: float = 2.0,
    max_frames: int = 5000,
    seed: int = 0,
) -> pd.DataFrame:
    r"""Ionic conductivity with all correlations between the ions (Einstein-Helfand).

    .. math:: \sigma = \frac{e^2}{6 V k_B T} \frac{d}{dt}
              \Big\langle \Big| \sum_i z_i [r_i(t) - r_i(0)] \Big|^2 \Big\rangle

    kinisi's own conductivity analyser adds up displacements before it applies the charges, so it
    takes one mobile species only. Here kinisi fits the charge-weighted sum of positions as one
    particle, which holds for any charges; its error bar counts one walker, not N.

    Parameters
    ----------
    trajectory
        See `Trajectory`; constant cell, neutral.
    temperature_K
        Temperature of the simulation in K.
    dt_ps, start_ps, max_frames, seed
        As in `self_diffusion`.

    Returns
    -------
    pd.DataFrame
        One row: ``conductivity_S_cm``, ``conductivity_stderr_S_cm``, ``conductivity_ci_low_S_cm``,
        ``conductivity_ci_high_S_cm``, as in `diffusion_table`.

    Raises
    ------
    ValueError
        As `self_diffusion`, and if the charges do not add up to zero or are all zero.
    """
    import scipp as sc
    from scipp.constants import elementary_charge, k

    charges = trajectory.charges
    if not np.any(charges) or abs(charges.sum()) > 1e-6 * np.abs(charges).sum():
        raise ValueError(
            f"conductivity of ions whose charges add up to {charges.sum():g} e "
            f"(largest {np.abs(charges).max():g} e): the q column needs a neutral set of charges"
        )
    positions, frame_ps = _thinned(trajectory, dt_ps, max_frames)
    dipole = np.einsum("i,tix->tx", charges, positions)[:, None, :]
    fit = fit_walkers(dipole, frame_ps, start_ps, seed)
    volume = sc.scalar(float(trajectory.volumes_A3[0]), unit="angstrom^3")
    temperature = sc.scalar(float(temperature_K), unit="K")

    def conductivity(slope: sc.Variable) -> np.ndarray:
        return sc.to_unit(
            slope * elementary_charge**2 / (6 * volume * k * temperature), "S/cm"
        ).values

    return _without_empty_notes([_cells(fit, conductivity, "conductivity", "S_cm")])


def _thinned(trajectory: Trajectory, dt_ps: float, max_frames: int) -> tuple[np.ndarray, float]:
    """Unwrapped positions (T, n, 3) in A of evenly thinned frames, and their interval in ps."""
    cells = trajectory.cells_A
    if np.ptp(cells, axis=0).max() > 1e-6 * np.abs(cells).max():
        raise ValueError(
            f"the cell changes from {cells[0].tolist()} to {cells[-1].tolist()} A; diffusion and "
            "conductivity need a simulation at constant cell (NVT)"
        )
    stride = max(1, len(trajectory.steps) // max_frames)
    return trajectory.unwrapped_A[::stride], dt_ps * stride * frame_interval(trajectory)


def _cells(fit: Fit, quantity, name: str, unit: str) -> dict:
    """Value, standard error and 95 % interval of a slope as table cells, and a note.

    `quantity` turns slopes, a scipp array in A^2/ps, into numbers of the unit.
    """
    import scipp as sc

    def numbers(slopes) -> np.ndarray:
        return quantity(sc.array(dims=["sample"], values=slopes, unit="angstrom^2/ps"))

    if fit.checked is None:
        samples = numbers(fit.posterior_A2_ps)
        low, high = np.percentile(samples, [2.5, 97.5])
        values = samples.mean(), samples.std(ddof=1), low, high
    else:
        slope = fit.checked
        values = numbers([slope.value, slope.stderr, slope.low, slope.high])
    parts = ("", "_stderr", "_ci_low", "_ci_high")
    cells = {f"{name}{part}_{unit}": float(v) for part, v in zip(parts, values, strict=True)}
    return cells | {"note": fit.checked.note if fit.checked else ""}


def _without_empty_notes(rows: list[dict]) -> pd.DataFrame:
    """Table without the column ``note`` where no row has one."""
    table = pd.DataFrame(rows)
    return table if table["note"].any() else table.drop(columns="note")


RECORD = Observable(
    of="trajectory",
    tables={
        "msd": Table(),
        "diffusion": Table("diffusion", "kinisi"),
        "conductivity": Table("conductivity", "kinisi"),
    },
    observe=observe_transport,
    caption="Self-diffusion coefficients and ionic conductivity of each simulation, engine and "
    "source, with the experiment at the same temperature where its fit is valid. No correction for "
    "the finite size of the cell. Where a note says that nothing diffuses, or that the motion slows "
    "down, the upper end of the interval is the limit that the run allows.",
    options={
        "start_ps": {
            "type": "number",
            "exclusiveMinimum": 0,
            "default": 2.0,
            "description": "Lag time from which motion is diffusive",
        }
    },
    ensembles=("nvt", "nve"),
    mistakes=transport_mistakes,
    experiment={
        "diffusion": ("self_diffusion", experimental_diffusion),
        "conductivity": ("ionic_conductivity", experimental_conductivity),
    },
)
