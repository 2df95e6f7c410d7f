"""Self-diffusion and ionic conductivity with kinisi's Bayesian regression.

The lags of both fits go from `start_ps`, where the motion becomes diffusive, to a tenth of the
trajectory: longer lags have too few independent windows for kinisi's estimate of their variance.
The cell must be constant (NVT, NVE), because unwrapped positions carry the scaling of a cell.
"""

import numpy as np
import pandas as pd
import scipp as sc
from ase.data import atomic_masses, atomic_numbers
from kinisi.diffusion import Diffusion
from kinisi.displacement import calculate_msd
from kinisi.parser import Parser
from scipp.constants import elementary_charge, k

from minset.md.trajectory import Trajectory, frame_interval, ordered_species

# Larger than any displacement, so that kinisi leaves the unwrapped positions as they are.
FICTITIOUS_EDGE_A = 1e7
LAGS = 80
LONGEST_LAG = 0.1


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
        ``species``, ``diffusion_1e-9_m2_s`` (posterior mean), ``diffusion_stderr_1e-9_m2_s``
        (posterior standard deviation) and ``diffusion_ci_low_1e-9_m2_s``,
        ``diffusion_ci_high_1e-9_m2_s`` (central 95 %).

    Raises
    ------
    ValueError
        If the cell changes or the trajectory is shorter than ten times `start_ps`.
    """
    rows = []
    for symbol in ordered_species(trajectory):
        _, fit = _species_fit(trajectory, symbol, dt_ps, start_ps, max_frames, seed)
        samples = sc.to_unit(fit.gradient / 6, "1e-9 m^2/s").values
        rows.append({"species": symbol} | _posterior(samples, "diffusion", "1e-9_m2_s"))
    return pd.DataFrame(rows)


def mean_squared_displacement(
    trajectory: Trajectory,
    dt_ps: float,
    start_ps: float = 2.0,
    max_frames: int = 5000,
    seed: int = 0,
) -> pd.DataFrame:
    """Mean squared displacement of each species with the line that `self_diffusion` fits.

    Parameters and errors are those of `self_diffusion`.

    Returns
    -------
    pd.DataFrame
        ``species``, ``time_ps`` (lag), ``msd_A2``, ``msd_stderr_A2`` and ``fit_A2``, NaN at lags
        that are not fitted.
    """
    tables = []
    for symbol in ordered_species(trajectory):
        msd, fit = _species_fit(trajectory, symbol, dt_ps, start_ps, max_frames, seed)
        time_ps = msd.coords["time interval"].values
        line = fit.gradient.values.mean() * time_ps + fit.intercept.values.mean()
        tables.append(
            pd.DataFrame(
                {
                    "species": symbol,
                    "time_ps": time_ps,
                    "msd_A2": msd.values,
                    "msd_stderr_A2": np.sqrt(msd.variances),
                    "fit_A2": np.where(np.arange(len(time_ps)) < fit.diff_regime, np.nan, line),
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
        ``conductivity_ci_high_S_cm``, as in `self_diffusion`.

    Raises
    ------
    ValueError
        As `self_diffusion`, and if the charges do not add up to zero or are all zero.
    """
    charges = trajectory.charges
    if not np.any(charges) or abs(charges.sum()) > 1e-6 * np.abs(charges).sum():
        raise ValueError(
            f"conductivity of ions whose charges add up to {charges.sum():g} e "
            f"(largest {np.abs(charges).max():g} e): the q column needs a neutral set of charges"
        )
    positions, frame_ps = _thinned(trajectory, dt_ps, max_frames)
    dipole = np.einsum("i,tix->tx", charges, positions)[:, None, :]
    _, fit = _fit(dipole, frame_ps, start_ps, seed)
    volume = sc.scalar(float(trajectory.volumes_A3[0]), unit="angstrom^3")
    temperature = sc.scalar(float(temperature_K), unit="K")
    conductivity = fit.gradient * elementary_charge**2 / (6 * volume * k * temperature)
    samples = sc.to_unit(conductivity, "S/cm").values
    return pd.DataFrame([_posterior(samples, "conductivity", "S_cm")])


def _thinned(trajectory: Trajectory, dt_ps: float, max_frames: int) -> tuple[np.ndarray, float]:
    """Unwrapped positions (T, n, 3) in A of evenly thinned frames, and their interval in ps."""
    cells = trajectory.cells_A
    if np.ptp(cells, axis=0).max() > 1e-6 * cells.max():
        raise ValueError(
            f"the cell changes from {np.diag(cells[0])} to {np.diag(cells[-1])} A; diffusion and "
            "conductivity need a simulation at constant cell (NVT)"
        )
    stride = max(1, len(trajectory.steps) // max_frames)
    return trajectory.unwrapped_A[::stride], dt_ps * stride * frame_interval(trajectory)


def _species_fit(
    trajectory: Trajectory,
    symbol: str,
    dt_ps: float,
    start_ps: float,
    max_frames: int,
    seed: int,
) -> tuple[sc.DataArray, Diffusion]:
    """MSD and fit of one species, relative to the centre of mass of all ions."""
    positions, frame_ps = _thinned(trajectory, dt_ps, max_frames)
    masses = atomic_masses[[atomic_numbers[name] for name in trajectory.species]]
    centre = np.einsum("i,tix->tx", masses / masses.sum(), positions)
    chosen = positions[:, trajectory.species == symbol] - centre[:, None, :]
    return _fit(chosen, frame_ps, start_ps, seed)


def _fit(
    positions: np.ndarray, frame_ps: float, start_ps: float, seed: int
) -> tuple[sc.DataArray, Diffusion]:
    """Mean squared displacement and Bayesian fit of walkers (T, n, 3) in A.

    kinisi's readers are bypassed: they repeat the first frame, and subtract the mean motion of
    the other species as if it were a rigid framework.
    """
    n_frames, n_walkers = positions.shape[:2]
    length_ps = (n_frames - 1) * frame_ps
    if not 0 < start_ps <= length_ps / 10:
        raise ValueError(
            f"a trajectory of {length_ps:g} ps is too short for a fit from start_ps = {start_ps:g}:"
            f" simulate at least {10 * start_ps:g} ps"
        )
    longest = round(max(LONGEST_LAG * length_ps, 2 * start_ps) / frame_ps)
    lags = np.unique(np.geomspace(1, longest, LAGS).round().astype(int))
    first = int(np.ceil(start_ps / frame_ps - 1e-9))
    if np.count_nonzero(lags >= first) < 3:
        raise ValueError(
            f"fewer than 3 lags between {start_ps:g} and {longest * frame_ps:g} ps at one frame "
            f"every {frame_ps:g} ps: dump more often or simulate longer"
        )
    # kinisi reads the length of the trajectory from the last lag, and truncates lags to integers:
    # hence the lag of all frames, dropped below, and times in frames until the end.
    in_frames = np.append(lags, n_frames - 1)
    parsed = Parser(
        coords=sc.array(
            dims=["time", "particle", "dimension"], values=positions / FICTITIOUS_EDGE_A
        ),
        latt=sc.array(
            dims=["time", "dimension1", "dimension2"],
            values=np.tile(FICTITIOUS_EDGE_A * np.eye(3), (n_frames, 1, 1)),
            unit="angstrom",
        ),
        time_step=sc.scalar(1.0),
        step_skip=sc.scalar(1),
        dt=sc.array(dims=["time interval"], values=in_frames.astype(float)),
        specie_indices=sc.arange("particle", n_walkers),
        drift_indices=sc.array(dims=["particle"], values=np.array([], dtype=int)),
    )
    data = calculate_msd(parsed, progress=False)
    lag_ps = sc.array(dims=["time interval"], values=lags * frame_ps, unit="ps")
    msd = data["da"]["time interval", : len(lags)].assign_coords({"time interval": lag_ps})
    fit = Diffusion(sc.DataGroup({"da": msd, "dimensionality": data["dimensionality"]}))
    fit.bayesian_regression(
        start_dt=lag_ps[int(np.argmax(lags >= first))],
        progress=False,
        random_state=np.random.RandomState(seed),
    )
    return msd, fit


def _posterior(samples: np.ndarray, name: str, unit: str) -> dict[str, float]:
    """Mean, standard deviation and central 95 % of posterior samples, as table cells."""
    low, high = np.percentile(samples, [2.5, 97.5])
    values = {"": samples.mean(), "_stderr": samples.std(ddof=1), "_ci_low": low, "_ci_high": high}
    return {f"{name}{part}_{unit}": float(value) for part, value in values.items()}
