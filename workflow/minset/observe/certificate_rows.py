"""Rows of a certificate: quantities with their intervals, tolerances and verdicts."""

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from ase import Atoms

from minset.observe.density import block_average
from minset.observe.reweighting import (
    Reweighting,
    bootstrap,
    effective_frames,
    labels_mean,
    standard_error,
)
from minset.units import BAR_EV_A3, BOLTZMANN_EV_K

CERTIFIED, NOT_CERTIFIED, UNDECIDED = "certified", "not certified", "undecided"
WHOLE = "all"  # the quantity of the row with the verdict on all others
MOST_FRAMES = 1000  # beyond which more of them is no advice


@dataclass(frozen=True)
class Labelled:
    """Frames (M) of a model's simulation with the labels and the model's force calls.

    Energies are of whole frames, stresses positive in tension; those of labels may be missing.
    """

    ensemble: str
    temperature_K: float
    frames: list[Atoms]
    label_eV: np.ndarray  # (M,)
    model_eV: np.ndarray
    label_forces_eV_A: np.ndarray  # (M, n, 3)
    model_forces_eV_A: np.ndarray
    label_stress_eV_A3: np.ndarray | None  # (M, 3, 3)
    model_stress_eV_A3: np.ndarray
    weights: np.ndarray  # (M,), of the labels' ensemble

    @property
    def scatter_kT(self) -> float:
        """Standard deviation of label less model energies in kT: above 1 few frames have the weight."""
        scatter_eV = (self.label_eV - self.model_eV).std()
        return float(scatter_eV / (BOLTZMANN_EV_K * self.temperature_K))


def error_rows(of: Labelled, test: tuple[pd.DataFrame, pd.DataFrame], settings: dict) -> list[dict]:
    """Errors of forces and energies, model less label, on the model's own frames and on the test set.

    Parameters
    ----------
    test
        Forces and energies of the test set, from `predictions`.
    settings
        Tolerances ``force_eV_A`` (of the RMSE) and ``energy_meV_atom`` (of the bias).
    """
    forces, energies = test
    on_test = (forces["model_eV_A"] - forces["label_eV_A"]).to_numpy()
    energy_on_test = 1000 * (energies["model_eV_atom"] - energies["label_eV_atom"]).to_numpy()
    difference = of.model_forces_eV_A - of.label_forces_eV_A
    m, ions = difference.shape[:2]
    energy = 1000 * (of.model_eV - of.label_eV) / ions

    def row(quantity, unit, measure, own, other, tolerance=None):
        resampled = bootstrap(lambda drawn: measure(own[drawn]), m)
        stderr = standard_error(resampled, m) if m > 1 else math.inf
        value = measure(own)
        row = {"quantity": quantity, "unit": unit, "difference": value, "difference_stderr": stderr}
        row["test_set"] = measure(other)
        return row | judged(value, stderr, tolerance, m, unit)

    # powers of each frame, so that a resample is a mean
    rmse = row(
        "force_rmse",
        "eV/A",
        lambda squares: float(np.sqrt(squares.mean())),
        np.square(difference).mean(axis=(1, 2)),
        np.square(on_test),
        settings["force_eV_A"],
    )
    l4 = row(
        "force_l4",
        "eV/A",
        lambda powers: float(powers.mean() ** 0.25),
        (difference**4).mean(axis=(1, 2)),
        on_test**4,
    )
    largest = {"quantity": "force_max", "unit": "eV/A", "difference": np.abs(difference).max()}
    largest |= {"test_set": np.abs(on_test).max()} | judged(0, 0, None, m, "")
    unit = "meV/atom"
    bias = row("energy_bias", unit, np.mean, energy, energy_on_test, settings["energy_meV_atom"])
    return [rmse, l4, largest, bias, row("energy_scatter", unit, np.std, energy, energy_on_test)]


def reweighted_rows(of: Labelled, thermo: pd.DataFrame, settings: dict) -> list[dict]:
    """Means of the simulation by the model and, from its frames, by the labels.

    Parameters
    ----------
    thermo
        Of the whole run.
    settings
        Tolerances ``density_percent``, at constant volume ``pressure_bar``; and the least number of
        ``effective_frames``. The mean energy has no tolerance: it fluctuates so much that few frames
        tell less of it than the bias does, see ``error_rows``.
    """
    ions, how = len(of.frames[0]), reweighting_of(of, thermo)
    rows = [
        _reweighted(
            of,
            how,
            "potential_energy",
            "eV/atom",
            thermo["potential_energy_eV"] / ions,
            of.model_eV / ions,
            of.label_eV / ions,
            None,
            settings,
        )
    ]
    if of.ensemble == "npt":
        run = thermo["density_g_cm3"]
        mass = (run * thermo["volume_A3"]).mean()  # g/cm^3 A^3, of the system's own masses
        frames = np.array([mass / frame.cell.volume for frame in of.frames])
        tolerance = settings["density_percent"] / 100 * run.mean()
        rows.append(
            _reweighted(of, how, "density", "g/cm^3", run, frames, frames, tolerance, settings)
        )
    elif of.label_stress_eV_A3 is None:
        row = {"quantity": "pressure", "unit": "bar"} | judged(0, 0, None, 1, "")
        rows.append(row | {"reason": "the labels have no stress"})
    else:
        # at constant volume the kinetic part, N kT / V, is the same for both
        kinetic = ions * BOLTZMANN_EV_K * of.temperature_K / of.frames[0].cell.volume
        model, labels = [
            (kinetic - np.trace(stress, axis1=1, axis2=2) / 3) / BAR_EV_A3
            for stress in (of.model_stress_eV_A3, of.label_stress_eV_A3)
        ]
        run, tolerance = thermo["pressure_bar"], settings["pressure_bar"]
        rows.append(
            _reweighted(of, how, "pressure", "bar", run, model, labels, tolerance, settings)
        )
    return rows


def _reweighted(
    of: Labelled,
    reweighting: Reweighting,
    quantity: str,
    unit: str,
    run: pd.Series,
    model: np.ndarray,
    labels: np.ndarray,
    tolerance: float | None,
    settings: dict,
) -> dict:
    """Row of a mean of the long run, and of what the labels would have given."""
    mean, run_stderr = block_average(run.to_numpy())
    row = {"quantity": quantity, "unit": unit, "model": mean, "model_stderr": run_stderr}
    enough, there = settings["effective_frames"], effective_frames(of.weights)
    if there < enough and tolerance is None:
        return row | judged(0, 0, None, len(model), unit)
    if there < enough:
        reason = (
            f"{there:.1f} effective of {len(model)} frames, {enough:g} are needed: energies of model and "
            f"labels differ by {of.scatter_kT:.1f} kT (standard deviation); a better model, a smaller "
            "cell or more frames would decide"
        )
        return row | {"tolerance": tolerance, "verdict": UNDECIDED, "reason": reason}
    of_labels = labels_mean(reweighting, model, labels, run.to_numpy())
    difference = mean - float(of_labels.value)
    error = standard_error(of_labels.resampled, there)
    # what both means owe to the length of the run cancels in part
    _, run_labels = block_average(of_labels.run_series)
    _, run_both = block_average(run.to_numpy() - of_labels.run_series)
    stderr = math.hypot(error, run_both)
    row |= {"labels": mean - difference, "labels_stderr": math.hypot(error, run_labels)}
    row |= {"difference": difference, "difference_stderr": stderr}
    return row | judged(difference, stderr, tolerance, len(model), unit, of_run=run_both)


def reweighting_of(of: Labelled, thermo: pd.DataFrame) -> Reweighting:
    """How frames and run are reweighted: linearly by energy and, at constant pressure, volume."""
    volumes = np.array([frame.cell.volume for frame in of.frames])
    columns = {"potential_energy_eV": of.model_eV}
    if of.ensemble == "npt":
        columns["volume_A3"] = volumes
    run, frames = [], []
    for column, values in columns.items():
        series = thermo[column].to_numpy()
        if (spread := series.std()) > 0:
            run.append((series - series.mean()) / spread)
            frames.append((values - series.mean()) / spread)
    return Reweighting(
        (of.label_eV - of.model_eV) / (BOLTZMANN_EV_K * of.temperature_K),
        np.array(frames).reshape(-1, len(volumes)).T,
        np.array(run).reshape(-1, len(thermo)).T,
    )


def judged(
    difference: float,
    stderr: float,
    tolerance: float | None,
    frames: int,
    unit: str,
    of_run: float = 0.0,
) -> dict:
    """Tolerance, verdict and its reason, of a difference with its standard error.

    Parameters
    ----------
    difference, stderr, tolerance
        In the unit; without a tolerance there is no verdict.
    frames
        Number of labelled frames.
    unit
        For the reason.
    of_run
        Part of the standard error that is due to the length of the run.
    """
    if tolerance is None:
        return {"tolerance": math.nan, "verdict": None, "reason": None}
    size, interval = abs(difference), 2 * stderr
    if not math.isfinite(stderr):
        reason = f"{difference:.3g} {unit} of one frame alone: more frames would decide"
        return {"tolerance": tolerance, "verdict": UNDECIDED, "reason": reason}
    words = f"off by {difference:.3g} +- {interval:.2g} {unit}, tolerance {tolerance:.3g}"
    if size + interval <= tolerance:
        verdict, reason = CERTIFIED, None
    elif size - interval > tolerance:
        verdict, reason = NOT_CERTIFIED, words
    else:
        room = abs(tolerance - size)
        verdict = UNDECIDED
        reason = f"{words}: {_what_decides(room, interval, 2 * of_run, frames)} would decide"
    return {"tolerance": tolerance, "verdict": verdict, "reason": reason}


def _what_decides(room: float, interval: float, of_run: float, frames: int) -> str:
    """What would make an interval, or its part that is due to the run, shorter than some room."""
    if of_run >= room:
        return "a longer run, or another tolerance,"
    needed = frames * (interval**2 - of_run**2) / (room**2 - of_run**2)
    if needed <= MOST_FRAMES:
        return f"about {math.ceil(needed)} frames"
    return "a better model or another tolerance"


def verdict_of_all(rows: list[dict], notes: list[str]) -> dict:
    """Row with the verdict on all quantities that have a tolerance: the worst of them."""
    verdicts = [row["verdict"] for row in rows if row["verdict"]]
    for verdict in (NOT_CERTIFIED, UNDECIDED, CERTIFIED):
        if verdict in verdicts:
            break
    of_it = [
        f"{row['quantity']} {row['reason']}"
        for row in rows
        if row["verdict"] in (verdict, None) and row["reason"]
    ]
    return {"quantity": WHOLE, "verdict": verdict, "reason": "; ".join([*of_it, *notes]) or None}
