"""Peaks of radial distribution functions, where the noise leaves them standing."""

import math

import numpy as np
import pandas as pd

PEAK_PROMINENCE = 0.1
PEAK_NOISE = 8.0  # standard errors: what the extremes of a hundred bins of noise differ by is 6
SMOOTHING_A = 0.3
_OF_PEAKS = ("peak_r_A", "peak_r_stderr_A", "peak_g", "peak_g_stderr", "minimum_r_A", "minimum_g")
_OF_PEAKS += ("coordination_number",)


def rdf_peaks(rdfs: pd.DataFrame) -> pd.DataFrame:
    """First peak, first minimum behind it and first coordination number of each pair.

    Positions come from the RDF smoothed over 0.3 A (Savitzky-Golay, cubic), so that noise of
    single bins makes no peak; a peak counts when it stands out by at least 0.1 and by eight times its
    standard error, and so does the minimum behind it against what follows.

    Parameters
    ----------
    rdfs
        Table of `partial_rdfs`.

    Returns
    -------
    pd.DataFrame
        ``pair``, ``peak_r_A``, ``peak_r_stderr_A``, ``peak_g``, ``peak_g_stderr``, ``minimum_r_A``,
        ``minimum_g`` and ``coordination_number`` (ions of the second species closer than the minimum);
        NaN where the range shows no peak or no minimum behind it. Standard errors are those of
        independent bins that went through the filter.
    """
    from scipy.signal import find_peaks

    rows = []
    for pair, rdf in rdfs.groupby("pair", sort=False):
        r, g = rdf["r_A"].to_numpy(), rdf["g"].to_numpy()
        smooth, noise = smoothed(r, g), rdf["g_stderr"].to_numpy() * np.linalg.norm(_weights(r))
        row = {"pair": pair} | dict.fromkeys(_OF_PEAKS, np.nan)
        stands_out = np.fmax(PEAK_PROMINENCE, PEAK_NOISE * noise)
        peaks, _ = find_peaks(smooth, prominence=stands_out)
        if len(peaks):
            row["peak_r_A"], row["peak_g"] = vertex(r, smooth, peaks[0])
            row["peak_g_stderr"] = noise[peaks[0]]
            row["peak_r_stderr_A"] = _noise_of_position(r, smooth, rdf["g_stderr"], peaks[0])
            end = peaks[1] if len(peaks) > 1 else len(r) - 1
            lowest = peaks[0] + int(np.argmin(smooth[peaks[0] : end + 1]))
            # At the end of the range g still falls: that is no minimum.
            rises = smooth[lowest:].max() - smooth[lowest] > PEAK_NOISE * noise[lowest]
            if lowest < len(r) - 1 and rises:
                row["minimum_r_A"], row["minimum_g"] = vertex(r, smooth, lowest)
                row["coordination_number"] = np.interp(
                    row["minimum_r_A"], r + (r[1] - r[0]) / 2, rdf["coordination_number"]
                )
        rows.append(row)
    return pd.DataFrame(rows)


def smoothed(r: np.ndarray, g: np.ndarray) -> np.ndarray:
    """RDF (bins,) after a cubic Savitzky-Golay filter of 0.3 A, where that spans enough bins."""
    from scipy.signal import savgol_filter

    window = _window(r)
    return savgol_filter(g, window, 3) if 5 <= window <= len(g) else g


def _window(r: np.ndarray) -> int:
    return round(SMOOTHING_A / (r[1] - r[0])) // 2 * 2 + 1


def _weights(r: np.ndarray) -> np.ndarray:
    """Weights with which the bins about one enter `smoothed`."""
    from scipy.signal import savgol_coeffs

    window = _window(r)
    return savgol_coeffs(window, 3) if 5 <= window <= len(r) else np.ones(1)


def _noise_of_position(r, smooth: np.ndarray, stderr: pd.Series, index: int) -> float:
    """Standard error of a `vertex` in A: that of the slope by the curvature."""
    if not 0 < index < len(r) - 1:
        return math.nan
    curvature = smooth[index - 1] - 2 * smooth[index] + smooth[index + 1]
    slope = stderr.iloc[index] * np.linalg.norm(np.convolve(_weights(r), [0.5, 0, -0.5]))
    return float(slope / abs(curvature) * (r[1] - r[0])) if curvature else math.nan


def vertex(r: np.ndarray, g: np.ndarray, index: int) -> tuple[float, float]:
    """Position and height of the parabola through a bin and its two neighbours."""
    if not 0 < index < len(r) - 1:
        return float(r[index]), float(g[index])
    left, middle, right = g[index - 1 : index + 2]
    curvature = left - 2 * middle + right
    shift = 0.5 * (left - right) / curvature if curvature else 0.0
    return float(r[index] + shift * (r[1] - r[0])), float(middle - 0.25 * (left - right) * shift)
