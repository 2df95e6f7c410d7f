"""First peaks of the RDFs of a certificate: by the model, and as the labels would give them."""

import math
from dataclasses import replace

import numpy as np
import pandas as pd

from minset.md.trajectory import Trajectory
from minset.observe.certificate_rows import Labelled, reweighting_of
from minset.observe.rdf import BLOCKS, rdfs_of_parts
from minset.observe.rdf_peaks import PEAK_PROMINENCE, smoothed, vertex
from minset.observe.reweighting import effective_frames, labels_mean, standard_error

AROUND_A = 0.6  # of the model's peak, where that of the labels is looked for
RESAMPLES = 200  # of which peaks are looked for
MOST_FRAMES = 200  # of the long run


def peak_rows(
    of: Labelled, trajectory: Trajectory, thermo: pd.DataFrame, timestep_fs: float, settings: dict
) -> list[dict]:
    """Position and height of the first peak of each pair; they have no tolerance.

    The labels' RDF is their mean, bin by bin; its first peak is the highest point within 0.6 A of the
    model's. Of fewer than ``effective_frames`` there is none of the labels.

    Parameters
    ----------
    of
        Labelled frames of the run.
    trajectory, thermo, timestep_fs
        The whole run.
    settings
        ``range_A`` and ``bins`` of the RDF, cut to half the smallest height of the cell in the run; and
        ``effective_frames``.
    """
    width_A = settings["range_A"] / settings["bins"]
    half_A = min(settings["range_A"], float(trajectory.widths_A.min()) / 2)
    bins = int(half_A / width_A)
    of_run = np.arange(0, len(trajectory.steps), -(-len(trajectory.steps) // MOST_FRAMES))
    time_ps = trajectory.steps[of_run] * timestep_fs / 1000
    rows = np.searchsorted(thermo["time_ps"], time_ps - timestep_fs / 2000)
    how = reweighting_of(of, thermo.iloc[np.minimum(rows, len(thermo) - 1)])
    whole = rdfs_of_parts(trajectory, list(of_run[:, None]), bins * width_A, bins)
    each = list(np.arange(len(of.frames))[:, None])
    own = rdfs_of_parts(_as_trajectory(of, trajectory), each, bins * width_A, bins)
    there, found = effective_frames(of.weights), []
    for (pair, r, run, _), (_, _, frames, _) in zip(whole, own, strict=True):
        if (place := _first_peak(r, run.mean(axis=0))) is None:
            continue
        model = np.array(_peak_near(r, run.mean(axis=0), place))
        blocks = [_peak_near(r, g.mean(axis=0), place) for g in np.array_split(run, BLOCKS)]
        run_stderr = np.std(blocks, axis=0, ddof=1) / math.sqrt(BLOCKS)
        known = {"model": model, "model_stderr": run_stderr}
        if there >= settings["effective_frames"]:
            mean = labels_mean(how, frames, frames, run)
            labels = np.array(_peak_near(r, mean.value, place))
            drawn = np.array([_peak_near(r, g, place) for g in mean.resampled[:RESAMPLES]])
            stderr = np.array([standard_error(column, there) for column in drawn.T])
            known |= {"labels": labels, "labels_stderr": np.hypot(stderr, run_stderr)}
            known |= {"difference": model - labels, "difference_stderr": stderr}
        for k, (quantity, unit) in enumerate((("peak_position", "A"), ("peak_height", "1"))):
            about = {"quantity": quantity, "pair": pair, "unit": unit}
            found.append(about | {key: float(values[k]) for key, values in known.items()})
    return [row | {"tolerance": math.nan, "verdict": None, "reason": None} for row in found]


def _as_trajectory(of: Labelled, trajectory: Trajectory) -> Trajectory:
    """The labelled frames in the form of a trajectory."""
    positions = np.array([frame.positions for frame in of.frames])
    return replace(
        trajectory,
        positions_A=positions,
        unwrapped_A=positions,
        cells_A=np.array([frame.cell[:] for frame in of.frames]),
        steps=np.arange(len(of.frames)),
    )


def _first_peak(r: np.ndarray, g: np.ndarray) -> float | None:
    """Position of the first peak in A, None where there is none in the range."""
    from scipy.signal import find_peaks

    peaks, _ = find_peaks(smoothed(r, g), prominence=PEAK_PROMINENCE)
    return float(r[peaks[0]]) if len(peaks) else None


def _peak_near(r: np.ndarray, g: np.ndarray, place_A: float) -> tuple[float, float]:
    """Position and height of the highest point of an RDF near a place."""
    smooth, near = smoothed(r, g), np.flatnonzero(np.abs(r - place_A) <= AROUND_A)
    return vertex(r, smooth, int(near[smooth[near].argmax()]))
