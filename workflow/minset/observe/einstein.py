"""Slope of a mean squared displacement: whether kinisi's fit holds, and what stands in where not.

kinisi takes the displacements at lag t for n = N T / t independent ones, and with it the covariance
C_ij = s_i^2 n_i / n_j (i <= j) of mean squared displacements with the variances s_i^2. n_i MSD_i is
then a Wiener process in the time s_i^2 n_i^2, so C is a covariance only as long as that time
increases from lag to lag: the variance of squared displacements must grow faster than t. That of
motion in a cage does not grow at all, and that of a single walker, the dipole of all ions, is
uncertain by itself. C is then indefinite; patched, it makes the slope follow the difference of two
neighbouring lags, or has no maximum of the likelihood: 1e21 and beyond.
"""

from dataclasses import dataclass

import numpy as np

from minset.observe.density import block_average

NO_DIFFUSION = "does not diffuse"
SLOWS_DOWN = "slows down: upper limit"
NORMAL_95 = 1.959964


@dataclass(frozen=True)
class Slope:
    """Slope of a mean squared displacement in A^2/ps: 95 % interval, standard error, remark."""

    value: float
    stderr: float
    low: float
    high: float
    note: str = ""


def covariance_holds(variances: np.ndarray, independent: np.ndarray) -> bool:
    """Whether kinisi's covariance is one: s^2 n^2 increases from lag to lag.

    Parameters
    ----------
    variances
        s^2 of the mean squared displacements at the fitted lags, shape (L,).
    independent
        Numbers n of independent displacements, shape (L,).
    """
    return bool(np.all(np.diff(variances * independent**2) > 0))


def checked_slope(positions: np.ndarray, lags: np.ndarray, frame_ps: float) -> Slope:
    """Slope of a mean squared displacement whose errors cannot be had from its own scatter.

    Displacements from each frame give a slope; their mean has the error of a block average, which
    is right where displacements do not grow. By that error the motion

    - does not diffuse, if beyond the middle of the lags the slope is less than three standard errors,
      and with two of them less than half of MSD / t, which it would be for a free walker; or if 0 is
      within the interval of `random_walk_slope`, and the interval below half of MSD / t;
    - slows down, if there it is less than in the first half by more than three standard errors: what
      is left of it is an upper limit;
    - else diffuses, with the slope and the error of `random_walk_slope`.

    Parameters
    ----------
    positions
        Of walkers, shape (T, N, 3) in A.
    lags
        Frames between positions, ascending, shape (L >= 3,).
    frame_ps
        Interval of the frames.
    """
    origins = len(positions) - lags[-1]
    squares = np.array(
        [_squares(positions[lag : lag + origins], positions[:origins]) for lag in lags]
    )
    times = lags * frame_ps
    middle = (times[0] + times[-1]) / 2
    # at least two lags on either side, which share one if there are three
    split = int(np.clip(np.searchsorted(times, middle), 1, len(times) - 2))
    first, second = (_slope_weights(times, part) for part in (slice(split + 1), slice(split, None)))
    last, last_error = block_average(second @ squares)
    bend, bend_error = block_average((second - first) @ squares)
    msd = np.array([_squares(positions[lag:], positions[:-lag]).mean() for lag in lags])
    free = msd[-1] / times[-1]
    limit = max(last, 0.0) + NORMAL_95 * last_error
    walk = random_walk_slope(msd, times, positions.shape[1], len(positions) * frame_ps)
    bounded = last < 3 * last_error and last + 2 * last_error < free / 2
    if bounded or (walk.low == 0 and walk.high < free / 2):
        return Slope(0.0, last_error, 0.0, limit, NO_DIFFUSION)
    if bend < -3 * bend_error:
        return Slope(max(last, 0.0), last_error, 0.0, limit, SLOWS_DOWN)
    return walk


def random_walk_slope(
    msd: np.ndarray, times_ps: np.ndarray, walkers: int, length_ps: float
) -> Slope:
    r"""Slope and its error as the mean squared displacement of free walkers has them.

    Generalised least squares with kinisi's covariance, in which the sample variances of squared
    displacements are replaced by those of a normal distribution, 2/3 MSD^2 (three dimensions), and
    MSD by c t, c the mean of MSD / t:

    .. math:: C_{ij} = \frac{2}{3} \frac{c^2 t_i^2 t_j}{N T}, \quad i \le j

    The slope is then linear in the mean squared displacements, whatever they are. An offset of the
    line (rattling in cages) makes the error too large, never too small.

    Parameters
    ----------
    msd, times_ps
        Mean squared displacements in A^2 and their lags, shape (L,).
    walkers, length_ps
        N and T.

    Returns
    -------
    Slope
        The lower limit is not below 0.
    """
    shorter, longer = np.minimum.outer(times_ps, times_ps), np.maximum.outer(times_ps, times_ps)
    inverse = np.linalg.inv(shorter**2 * longer)
    line = np.stack([times_ps, np.ones_like(times_ps)], axis=1)
    spread = np.linalg.inv(line.T @ inverse @ line)
    slope = float((spread @ line.T @ inverse @ msd)[0])
    scale = np.mean(msd / times_ps) * np.sqrt(2 / 3 / (walkers * length_ps))
    error = float(scale * np.sqrt(spread[0, 0]))
    low, high = (slope + sign * NORMAL_95 * error for sign in (-1, 1))
    return Slope(max(slope, 0.0), error, max(low, 0.0), max(high, NORMAL_95 * error))


def _squares(later: np.ndarray, earlier: np.ndarray) -> np.ndarray:
    """Squared displacements (T', N, 3) averaged over walkers, shape (T',)."""
    return np.sum((later - earlier) ** 2, axis=2).mean(axis=1)


def _slope_weights(times: np.ndarray, part: slice) -> np.ndarray:
    """Weights (L,) whose sum with values is their least squares slope over a part of the times."""
    weights = np.zeros_like(times)
    centred = times[part] - times[part].mean()
    weights[part] = centred / np.sum(centred**2)
    return weights
