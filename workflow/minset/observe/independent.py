"""Frames of a simulation that are far enough apart to be independent of one another."""

import numpy as np
import pandas as pd
from ase import Atoms

from minset.md.trajectory import Trajectory

DECIMALS_A = 8  # that extended XYZ holds, so that a frame is the same wherever it is written


def statistical_inefficiency(series: np.ndarray) -> float:
    r"""Samples of a series that are worth one independent one.

    .. math:: g = 1 + 2 \sum_{t=1}^{N-1} (1 - t / N) C_t

    with the normalised autocorrelation function C, up to where it first falls below zero
    (Chodera et al., J. Chem. Theory Comput. 3, 26 (2007), eq. 23).

    Parameters
    ----------
    series
        Shape (N,), at a constant interval.

    Returns
    -------
    float
        At least 1; 1 also for a series that does not change.
    """
    x = np.asarray(series, float)
    n = len(x)
    x = x - x.mean()
    if n < 2 or np.abs(x).max() == 0:
        return 1.0
    # padded, so that the end does not meet the beginning
    power = np.abs(np.fft.rfft(x, 2 * n)) ** 2
    autocovariance = np.fft.irfft(power)[:n] / np.arange(n, 0, -1)
    c = autocovariance / autocovariance[0]
    negative = np.flatnonzero(c[1:] <= 0)
    end = 1 + negative[0] if len(negative) else n
    t = np.arange(1, end)
    return float(max(1.0, 1 + 2 * np.sum((1 - t / n) * c[1:end])))


def independence_ps(thermo: pd.DataFrame, ensemble: str) -> float:
    """Time after which a liquid has forgotten its energy and, at constant pressure, its volume.

    Parameters
    ----------
    thermo
        Table of a run, rows at a constant interval; of at least two.
    ensemble
        ``npt``, or one at constant volume.

    Returns
    -------
    float
        Twice the integrated autocorrelation time in ps, of the slower of both.
    """
    columns = ["potential_energy_eV", *(["volume_A3"] if ensemble == "npt" else [])]
    interval_ps = np.diff(thermo["time_ps"]).mean()
    return interval_ps * max(statistical_inefficiency(thermo[column]) for column in columns)


def independent_frames(
    trajectory: Trajectory, thermo: pd.DataFrame, protocol: dict, most: int
) -> tuple[list[Atoms], pd.DataFrame]:
    """Frames evenly over a run, at least `independence_ps` apart.

    Parameters
    ----------
    trajectory, thermo
        Of the run.
    protocol
        ``ensemble``, ``timestep_fs`` and ``duration_ps`` of its verdict.
    most
        Number of frames; a shorter run gives fewer, and says so.

    Returns
    -------
    frames, table
        Positions and cells in A, rounded to 8 decimals; and ``frame`` (number in the trajectory) and
        ``time_ps`` of each.
    """
    apart_ps = independence_ps(thermo, protocol["ensemble"])
    duration_ps = protocol["duration_ps"]
    independent = max(1, int(duration_ps / apart_ps))
    number = min(most, independent, len(trajectory.steps))
    print(
        f"{number} frames, {duration_ps / number:.2g} ps apart; they are independent after "
        f"{apart_ps:.2g} ps"
    )
    if number < most:
        print(
            f"{most} were asked for: the run would have to be {most * apart_ps:.3g} ps long"
            if number == independent
            else f"{most} were asked for, the trajectory has {number}"
        )
    chosen = ((np.arange(number) + 0.5) * len(trajectory.steps) / number).astype(int)
    atoms = [
        Atoms(
            trajectory.species.tolist(),
            positions=trajectory.positions_A[k].round(DECIMALS_A),
            cell=trajectory.cells_A[k].round(DECIMALS_A),
            pbc=True,
        )
        for k in chosen
    ]
    time_ps = trajectory.steps[chosen] * protocol["timestep_fs"] / 1000
    return atoms, pd.DataFrame({"frame": chosen, "time_ps": time_ps.round(6)})
