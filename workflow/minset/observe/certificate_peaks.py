"""First peaks of the RDFs of a certificate: by the model, and as the labels would give them."""

import math
from dataclasses import replace

import numpy as np

from minset.md.trajectory import Trajectory
from minset.observe.certificate_rows import Labelled
from minset.observe.rdf import BLOCKS, PEAK_PROMINENCE, rdfs_of_parts, smoothed, vertex
from minset.observe.reweighting import effective_frames, model_less_labels, standard_error

AROUND_A = 0.6  # of the model's peak, where that of the labels is looked for
RESAMPLES = 200  # of which peaks are looked for
MOST_FRAMES = 500  # of the long run


def peak_rows(of: Labelled, trajectory: Trajectory, settings: dict) -> list[dict]:
    """Position and height of the first peak of each pair; they have no tolerance.

    The labels' RDF is that of the long run less what model and labels differ by on the frames, bin by
    bin; its first peak is the highest point within 0.6 A of the model's. Of fewer than
    ``effective_frames`` there is none of the labels.

    Parameters
    ----------
    of
        Labelled frames of the run.
    trajectory
        The whole run.
    settings
        ``range_A`` and ``bins`` of the RDF, cut to half the smallest height of the cell in the run; and
        ``effective_frames``.
    """
    width_A = settings["range_A"] / settings["bins"]
    half_A = min(settings["range_A"], float(trajectory.widths_A.min()) / 2)
    bins = int(half_A / width_A)
    there = effective_frames(of.weights)
    run = np.arange(0, len(trajectory.steps), -(-len(trajectory.steps) // MOST_FRAMES))
    long = rdfs_of_parts(trajectory, np.array_split(run, BLOCKS), bins * width_A, bins)
    each = np.arange(len(of.frames))[:, None]
    own = rdfs_of_parts(_as_trajectory(of, trajectory), list(each), bins * width_A, bins)
    rows = []
    for (pair, r, blocks, _), (_, _, frames, _) in zip(long, own, strict=True):
        place = _first_peak(r, blocks.mean(axis=0))
        if place is None:
            continue
        model = np.array(_peak_near(r, blocks.mean(axis=0), place))
        spread = np.array([_peak_near(r, g, place) for g in blocks]).std(axis=0, ddof=1)
        known = {"model": model, "model_stderr": spread / math.sqrt(BLOCKS)}
        if there >= settings["effective_frames"]:
            energy = of.label_eV - of.model_eV
            shift, resampled = model_less_labels(energy, of.temperature_K, frames, frames)
            labels = np.array(_peak_near(r, blocks.mean(axis=0) - shift, place))
            drawn = np.array(
                [_peak_near(r, blocks.mean(axis=0) - g, place) for g in resampled[:RESAMPLES]]
            )
            stderr = np.array([standard_error(column, there) for column in drawn.T])
            known |= {"labels": labels, "labels_stderr": np.hypot(stderr, known["model_stderr"])}
            known |= {"difference": model - labels, "difference_stderr": stderr}
        for k, (quantity, unit) in enumerate((("peak_position", "A"), ("peak_height", "1"))):
            about = {"quantity": quantity, "pair": pair, "unit": unit}
            rows.append(about | {key: float(values[k]) for key, values in known.items()})
    return [row | {"tolerance": math.nan, "verdict": None, "reason": None} for row in rows]


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
