"""A trained model in somebody's own LAMMPS script, through LAMMPS's Python interface."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from ase.data import atomic_numbers

from minset.evaluation import Evaluation
from minset.md.engines import NO_PAIRS, attach_external
from minset.md.session import obey
from minset.model import baseline_of, evaluator_of, learned_evaluator
from minset.potential import record_of


def attach_model(
    lmp,
    folder: Path | str,
    species: Sequence[str],
    threads: int = 1,
    reference: bool = False,
) -> Callable[[], None]:
    """Let a trained model make the forces, energy and virial of a LAMMPS instance.

    It comes as ``fix model all external`` beside a pair style that it sets: ``zero``, or that of the
    model's baseline, whose charges it sets too. Everything else is the script's: ensemble, thermostat,
    dumps.

    Parameters
    ----------
    lmp
        ``lammps.lammps``, with its atoms: ``units metal``, periodic, on one process.
    folder
        Of the trained model.
    species
        Element of each atom type, in their order.
    threads, reference
        See ``minset.model.evaluator_of``.

    Returns
    -------
    callable
        ``check()``, to be called after each ``run``: raises RuntimeError if a force call failed. The run
        has then ended early, and what came after the failure is worth nothing.

    Raises
    ------
    ValueError
        If the instance is none of the above, or the model cannot be read or lacks an element.
    """
    _require_fit(lmp, species)
    numbers = np.array([atomic_numbers[species[t - 1]] for t in lmp.gather_atoms("type", 0, 1)])
    baseline = baseline_of(folder)
    beside = baseline is not None and record_of(baseline).commands is not None
    make = learned_evaluator if beside else evaluator_of
    evaluate, commands = make(Path(folder), numbers, threads, reference), NO_PAIRS
    if beside:
        commands = _commands(lmp, baseline, species)

    def stopping(positions: np.ndarray, cell: np.ndarray) -> Evaluation:
        try:
            return evaluate(positions, cell)
        except Exception:
            lmp.force_timeout()
            raise

    alarm = attach_external(lmp, stopping, lambda result: "", commands)

    def check() -> None:
        try:
            found = alarm()
        except Exception as error:
            raise RuntimeError(f"the model's force call failed: {error}") from error
        if found:
            raise RuntimeError(
                f"the model's force call failed at step {found.step}: {found.reason}"
            )

    return check


def _require_fit(lmp, species: Sequence[str]) -> None:
    if unknown := [s for s in species if s not in atomic_numbers]:
        raise ValueError(f"species: {unknown[0]!r} is no element")
    if lmp.extract_global("units") != "metal":
        raise ValueError("the model is in eV and A: begin the LAMMPS script with `units metal`")
    if lmp.extract_setting("world_size") > 1:
        raise ValueError("the model runs on one process: no mpirun, use `threads`")
    if not lmp.extract_setting("box_exist") or not lmp.get_natoms():
        raise ValueError("there are no atoms yet: attach the model after read_data or create_atoms")
    if not all(lmp.extract_box()[5]):
        raise ValueError("the model is of periodic configurations: `boundary p p p`")
    if lmp.extract_setting("ntypes") != len(species):
        raise ValueError(
            f"species: {len(species)} elements for {lmp.extract_setting('ntypes')} atom types"
        )


def _commands(lmp, baseline: dict, species: Sequence[str]) -> list[str]:
    """Charges of the atoms, and the commands of a baseline in the order of the atom types."""
    record = record_of(baseline)
    if record.needs_charges:
        if not lmp.extract_setting("q_flag"):
            raise ValueError("the model stands on charges: take `atom_style charge` or `full`")
        for kind, symbol in enumerate(species, start=1):
            obey(lmp, f"set type {kind} charge {baseline['species'][symbol]['charge']}")
    in_order = {"species": {s: baseline["species"][s] for s in species}}
    return record.commands(record.finely(in_order | {"potential": baseline["potential"]}))
