"""Certificate: what single points say about a model where its own dynamics go.

Errors on frames of the pool are blind to what a model does to itself. Here some frames of the model's own
simulation are labelled, and tell its errors there and, by reweighting (``minset.observe.reweighting``),
what the simulation would have given with the labels' forces.
"""

import numpy as np
import pandas as pd
from ase import Atoms

from minset.dataset import labelled, read_dataset, read_label_tables
from minset.md.trajectory import read_trajectory
from minset.observe.certificate_peaks import peak_rows
from minset.observe.certificate_rows import (
    CERTIFIED,
    NOT_CERTIFIED,
    UNDECIDED,
    WHOLE,
    Labelled,
    error_rows,
    reweighted_rows,
    verdict_of_all,
)
from minset.observe.errors import predictions
from minset.observe.record import Observable, Table, without_rows
from minset.observe.reweighting import effective_frames, weights_of

__all__ = ["CERTIFIED", "NOT_CERTIFIED", "RECORD", "UNDECIDED", "WHOLE", "observe_certificate"]

FRAMES = "certificate_frames"
LARGEST_SHARE = 0.5  # of the weight, above which one frame is said to decide


def observe_certificate(source: dict, system: dict, settings: dict, threads: int = 1) -> dict:
    """Tables ``certificate`` and ``certificate_frames`` of a model's simulation, see `Observable`.

    Of a run that broke, or of which no frame has a label, the certificate has one row, the verdict.
    """
    outcome = source["verdict"]
    if not outcome["stable"]:
        return _nothing(NOT_CERTIFIED, f"the simulation broke {outcome['reason']}")
    table = read_label_tables(source["labels"])
    missing = table[table["status"] != "labelled"]
    if len(missing) == len(table):
        return _nothing(UNDECIDED, f"no frame has a label: {missing['reason'].iloc[0]}")
    frames = labelled(table, source["store"], failed_share=1.0)
    of = _evaluated(source, frames, settings, outcome["protocol"], threads)
    thermo = pd.read_csv(source["thermo"])
    test = predictions(source["model"], read_dataset(source["test"]), threads)
    rows = error_rows(of, test, settings) + reweighted_rows(of, thermo, settings)
    trajectory, timestep_fs = read_trajectory(source["trajectory"]), settings["timestep_fs"]
    rows += peak_rows(of, trajectory, thermo, timestep_fs, settings)
    notes = _notes(of, settings, missing)
    rows.append(verdict_of_all(rows, notes))
    certificate = pd.DataFrame(rows).fillna(np.nan)
    certificate = certificate.assign(
        frames=len(frames),
        effective_frames=effective_frames(of.weights),
        largest_weight=of.weights.max(),
        scatter_kT=of.scatter_kT,
    )
    return {"certificate": certificate, FRAMES: _frames(of, table)}


def _nothing(verdict: str, reason: str) -> dict[str, pd.DataFrame]:
    """The certificate of a run that has no labelled frames."""
    row = {"quantity": WHOLE, "verdict": verdict, "reason": reason, "frames": 0}
    return {"certificate": pd.DataFrame([row])} | without_rows([FRAMES], reason)


def _evaluated(
    source: dict, frames: list[Atoms], settings: dict, protocol: dict, threads: int
) -> Labelled:
    """Labels and the model's force calls of the same frames."""
    from minset.model import evaluator_of

    reference = settings["engine"] == "schnetpack"
    evaluate = evaluator_of(source["model"], frames[0].numbers, threads, reference)
    calls = [evaluate(frame.positions, np.array(frame.cell)) for frame in frames]
    stresses = [f.calc.results.get("stress") for f in frames]
    known = all(stress is not None for stress in stresses)
    energies = np.array([f.get_potential_energy() for f in frames])
    model_energies = np.array([call.energy_eV for call in calls])
    temperature_K = protocol["temperature_K"][0]
    return Labelled(
        ensemble=protocol["ensemble"],
        temperature_K=temperature_K,
        frames=frames,
        label_eV=energies,
        model_eV=model_energies,
        label_forces_eV_A=np.array([f.get_forces() for f in frames]),
        model_forces_eV_A=np.array([call.forces_eV_A for call in calls]),
        label_stress_eV_A3=np.array([f.get_stress(voigt=False) for f in frames]) if known else None,
        model_stress_eV_A3=np.array(
            [call.virial_eV / f.cell.volume for call, f in zip(calls, frames, strict=True)]
        ),
        weights=weights_of(energies - model_energies, temperature_K),
    )


def _notes(of: Labelled, settings: dict, missing: pd.DataFrame) -> list[str]:
    """What else a reader must know of the frames."""
    notes, asked, there = [], settings["frames"], len(of.frames) + len(missing)
    if there < asked:
        notes.append(f"the run is long enough for {there} independent frames, not for {asked}")
    if len(missing):
        notes.append(f"{len(missing)} frames have no label: {missing['reason'].iloc[0]}")
    if (share := of.weights.max()) > LARGEST_SHARE and len(of.frames) > 1:
        notes.append(f"one frame has {share:.0%} of the weight")
    return notes


def _frames(of: Labelled, table: pd.DataFrame) -> pd.DataFrame:
    ions = len(of.frames[0])
    square = np.square(of.model_forces_eV_A - of.label_forces_eV_A)
    about = table.loc[table["status"] == "labelled", ["origin", "frame"]].reset_index(drop=True)
    return about.assign(
        volume_A3=[frame.cell.volume for frame in of.frames],
        label_eV_atom=of.label_eV / ions,
        model_eV_atom=of.model_eV / ions,
        force_rmse_eV_A=np.sqrt(square.mean(axis=(1, 2))),
        weight=of.weights,
    )


RECORD = Observable(
    of="certificate",
    tables={"certificate": Table("certificate"), FRAMES: Table()},
    observe=observe_certificate,
    caption="What labels of frames of each model's own simulation say about it. Errors of forces and "
    "energies there, beside those on the test set; and means of the simulation by the model and, "
    "reweighted to the labels' energies, as the labels would give them. Each in the unit of "
    "its row. Certified is what differs by less than the tolerance even at the end of its 95 % interval "
    "(two standard errors), not certified what differs by more even there. The last row of each "
    "simulation is the verdict on all of it. Of few effective frames nothing can be said. Peaks are "
    "the first ones of the RDFs.",
    ensembles=("nvt", "npt"),
    options_of=("rdf",),
    megabytes=lambda ions: ions / 1000,
)
