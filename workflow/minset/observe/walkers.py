"""Mean squared displacements of walkers and their slopes, by kinisi's Bayesian regression.

Lags go from `start_ps`, where the motion becomes diffusive, to a tenth of the trajectory: longer ones
have too few independent windows for kinisi's estimate of their variance.

kinisi's posterior is reported where its fit holds: where its covariance is one (see
``minset.observe.einstein``), and where the posterior is not cut off by the condition that slopes are
positive, its mean being at least twice its standard deviation. Elsewhere ``einstein.checked_slope``
takes its place, which may say that nothing diffuses.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from minset.observe.einstein import Slope, checked_slope, covariance_holds

if TYPE_CHECKING:
    import scipp as sc

# Larger than any displacement, so that kinisi leaves the unwrapped positions as they are.
FICTITIOUS_EDGE_A = 1e7
LAGS = 80
LONGEST_LAG = 0.1
RESOLVED = 2.0


@dataclass(frozen=True)
class Fit:
    """Mean squared displacement of walkers and the line through it.

    Attributes
    ----------
    lags_ps, msd_A2, msd_stderr_A2
        All lags, also those before the fit, shape (L,).
    first
        First fitted lag.
    slope_A2_ps, intercept_A2
        Of the line.
    posterior_A2_ps
        kinisi's samples of the slope, where they hold, shape (S,); else None.
    checked
        The slope where they do not; else None.
    """

    lags_ps: np.ndarray
    msd_A2: np.ndarray
    msd_stderr_A2: np.ndarray
    first: int
    slope_A2_ps: float
    intercept_A2: float
    posterior_A2_ps: np.ndarray | None
    checked: Slope | None


def fit_walkers(positions: np.ndarray, frame_ps: float, start_ps: float, seed: int) -> Fit:
    """Mean squared displacement of walkers and the line through it.

    Parameters
    ----------
    positions
        Unwrapped, shape (T, n, 3) in A.
    frame_ps
        Interval of the frames.
    start_ps
        Lag from which the motion is diffusive.
    seed
        Of the Monte Carlo sampling.

    Raises
    ------
    ValueError
        If the trajectory is shorter than ten times `start_ps`, or there are fewer than three lags.
    """
    lags, first = fitted_lags(len(positions), frame_ps, start_ps)
    msd = _kinisi_msd(positions, lags, frame_ps)
    fitted = slice(first, None)
    values, variances = msd.values, msd.variances
    posterior, checked = None, None
    if covariance_holds(variances[fitted], msd.coords["n_samples"].values[fitted]):
        posterior, intercept = _kinisi_fit(msd, first, seed)
        slope = posterior.mean()
    if posterior is None or slope < RESOLVED * posterior.std():
        posterior, checked = None, checked_slope(positions, lags[fitted], frame_ps)
        slope = checked.value
        intercept = (values[fitted] - slope * lags[fitted] * frame_ps).mean()
    return Fit(
        lags_ps=lags * frame_ps,
        msd_A2=values,
        msd_stderr_A2=np.sqrt(variances),
        first=first,
        slope_A2_ps=slope,
        intercept_A2=intercept,
        posterior_A2_ps=posterior,
        checked=checked,
    )


def fitted_lags(n_frames: int, frame_ps: float, start_ps: float) -> tuple[np.ndarray, int]:
    """Lags in frames up to a tenth of the trajectory, and the index of the first fitted one."""
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
    return lags, int(np.argmax(lags >= first))


def _kinisi_msd(positions: np.ndarray, lags: np.ndarray, frame_ps: float) -> "sc.DataArray":
    """Mean squared displacements with variances, of walkers (T, n, 3) in A, by kinisi.

    kinisi's readers are bypassed: they repeat the first frame, and subtract the mean motion of
    the other species as if it were a rigid framework.
    """
    import scipp as sc
    from kinisi.displacement import calculate_msd
    from kinisi.parser import Parser

    n_frames, n_walkers = positions.shape[:2]
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
    return data["da"]["time interval", : len(lags)].assign_coords({"time interval": lag_ps})


def _kinisi_fit(msd: "sc.DataArray", first: int, seed: int) -> tuple[np.ndarray, float]:
    """Posterior samples of the slope in A^2/ps, and the mean intercept in A^2."""
    import scipp as sc
    from kinisi.diffusion import Diffusion

    fit = Diffusion(sc.DataGroup({"da": msd, "dimensionality": sc.scalar(3)}))
    fit.bayesian_regression(
        start_dt=msd.coords["time interval"][first],
        progress=False,
        random_state=np.random.RandomState(seed),
    )
    return fit.gradient.values, fit.intercept.values.mean()
