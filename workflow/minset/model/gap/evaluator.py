"""Force calls of a GAP through quippy."""

import json
import re
import xml.parsers.expat
from pathlib import Path

import numpy as np
from ase import Atoms
from threadpoolctl import threadpool_limits

from minset.evaluation import Evaluation, Evaluator, require_known, shortest_distances
from minset.files import file_hash
from minset.model.gap import XML
from minset.model.neighbours import near_cell, undirected_pairs
from minset.model.record import DESCRIPTION
from minset.model.repulsion import repulsion_of, repulsion_on, require_sane


def load_gap(folder: Path) -> tuple[object, dict]:
    """Read a saved model.

    Returns
    -------
    potential, description
        A ``quippy.potential.Potential`` and the content of ``model.json``.

    Raises
    ------
    ValueError
        If a file is damaged, or is more than a GAP.
    """
    folder = Path(folder)
    try:
        description = json.loads((folder / DESCRIPTION).read_text())
        # QUIP would end the whole process over a damaged file
        if file_hash(folder / XML) != description["gap_xml_sha256"]:
            raise ValueError(f"{XML} is not the file that {DESCRIPTION} describes")
        _require_gap_alone(folder / XML)
        require_sane(description["settings"], map(int, description["energy_offsets_eV"]))
    except (ValueError, KeyError, TypeError, OSError, xml.parsers.expat.ExpatError) as error:
        raise ValueError(
            f"the model in {folder} cannot be read ({error}); remove the folder and train it again"
        ) from error
    from quippy.potential import Potential

    path = str(folder / XML)
    return Potential(param_filename=path, calculation_always_required=True), description


def _require_gap_alone(path: Path) -> None:
    """Refuse XML by which QUIP would read other files or, as it can for a potential, run a command."""

    def refuse(*_):
        raise ValueError(f"{path.name} has a document type; a GAP has none")

    def look(name: str, attributes: dict):
        potential = attributes.get("init_args", "IP GAP label=")
        if not re.fullmatch(r"IP GAP label=\w*", potential) or "sparseX_filename" in attributes:
            raise ValueError(f"{path.name} is more than a GAP in one file: {name} {attributes}")

    parser = xml.parsers.expat.ParserCreate("US-ASCII")
    parser.StartDoctypeDeclHandler, parser.StartElementHandler = refuse, look
    with open(path, "rb") as file:
        parser.ParseFile(file)


def gap_evaluator(potential, description: dict, numbers: np.ndarray, threads: int = 1) -> Evaluator:
    """Force calls of a GAP.

    Parameters
    ----------
    potential, description
        From ``load_gap``.
    numbers
        Atomic numbers, shape (n,).
    threads
        Of the linear algebra; the rest of QUIP's wheel runs on one.

    Returns
    -------
    callable
        ``evaluate(positions_A (n, 3), cell_A (3, 3)) -> Evaluation``. As of
        ``minset.model.evaluator_of``.

    Raises
    ------
    ValueError
        If the model does not know an element.
    """
    require_known(numbers, description["energy_offsets_eV"])
    threadpool_limits(threads, user_api="blas")
    settings = description["settings"]
    offset = np.array([description["energy_offsets_eV"][str(z)] for z in numbers])
    repulsion = repulsion_of(settings)

    def evaluate(positions: np.ndarray, cell: np.ndarray) -> Evaluation:
        # first: it stops at configurations over which QUIP would end the process
        i, j, vectors = undirected_pairs(positions, cell, settings["cutoff_A"])
        atoms = Atoms(numbers, near_cell(positions, cell), cell=cell, pbc=True)
        potential.calculate(atoms, ["energy", "energies", "forces", "stress"])
        atomic = potential.results["energies"] + offset
        forces = potential.results["forces"]
        virial = -potential.extra_results["config"]["virial"]  # QUIP's is the negative derivative
        if repulsion:
            added = repulsion_on(repulsion, numbers, i, j, vectors)
            atomic, forces, virial = (
                x + y for x, y in zip((atomic, forces, virial), added, strict=True)
            )
        return Evaluation(
            energy_eV=float(atomic.sum()),
            atomic_energies_eV=atomic,
            forces_eV_A=forces,
            virial_eV=0.5 * (virial + virial.T),
            shortest_A=shortest_distances(numbers, i, j, np.linalg.norm(vectors, axis=1)),
        )

    return evaluate
