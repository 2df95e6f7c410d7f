"""Relaxed crystals of a force engine: what observables of crystals and surfaces share."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes

from minset.crystal import (
    IDEAL_C_OVER_A,
    STRUCTURES,
    crystal,
    crystal_needs,
    structure_mistakes,
    structures_of,
)
from minset.evaluation import Unusable

# relative to the start, beyond which a crystal is one no more
SMALLEST, LARGEST = 0.4, 2.5
_MAXSTEP_A = 0.05
CONVERGENCE = {
    "force_eV_A": {
        "type": "number",
        "exclusiveMinimum": 0,
        "default": 1e-3,
        "description": "Largest force, and virial in eV/atom, at which a relaxation ends",
    },
    "steps": {
        "type": "integer",
        "minimum": 1,
        "default": 300,
        "description": "After which a relaxation counts as not converged",
    },
}
_STRUCTURES = {
    "type": "array",
    "minItems": 1,
    "uniqueItems": True,
    "items": {"enum": list(STRUCTURES)},
    "description": "Crystals, hcp with its own ratio c/a, hcp_fixed with c_over_a; when absent all of "
    "as many species as the system has",
}
OF_CRYSTALS = {
    "structures": _STRUCTURES,
    "c_over_a": {
        "type": "number",
        "exclusiveMinimum": 0.5,
        "maximum": 3,
        "default": IDEAL_C_OVER_A,
        "description": "Ratio that hcp_fixed keeps; that of closest packing when absent",
    },
} | CONVERGENCE


class EngineCalculator(Calculator):
    """A force engine as an ASE calculator; periodic in all directions.

    Parameters
    ----------
    source
        ``model``, folder of a trained model, or None where the potential of the system makes the forces.
    system
        ``species``, and ``potential`` where that is the engine.
    threads
        Of the force calls.
    """

    implemented_properties = ("energy", "forces", "stress")

    def __init__(self, source: dict, system: dict, threads: int = 1):
        super().__init__()
        self._of, self._evaluators = (source["model"], system, threads), {}

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        """One force call of atoms in any periodic cell."""
        super().calculate(atoms, properties, system_changes)
        species = atoms.numbers.tobytes()
        if species not in self._evaluators:
            self._evaluators[species] = _evaluator(*self._of, atoms.numbers.copy())
        result = self._evaluators[species](atoms.positions, np.array(atoms.cell))
        stress = result.virial_eV / atoms.cell.volume
        self.results = {
            "energy": result.energy_eV,
            "forces": result.forces_eV_A,
            "stress": stress.ravel()[[0, 4, 8, 5, 2, 1]],
        }


def _evaluator(model, system: dict, threads: int, numbers: np.ndarray):
    if model is not None:
        from minset.model import evaluator_of

        return evaluator_of(model, numbers, threads)
    from minset.potential.forces import lasting_evaluator

    return lasting_evaluator(system, numbers, threads)


@dataclass(frozen=True)
class Relaxed:
    """A crystal in its minimum, as primitive cell with a calculator, or why there is none (``note``)."""

    structure: str
    atoms: Atoms
    note: str = ""

    @property
    def energy_eV_atom(self) -> float:
        """Energy per atom."""
        return self.atoms.get_potential_energy() / len(self.atoms)

    @property
    def volume_A3_atom(self) -> float:
        """Volume per atom."""
        return self.atoms.cell.volume / len(self.atoms)


def structures_wanted(system: dict, settings: dict) -> list[str]:
    """Structures of which an observable is computed."""
    return settings.get("structures") or structures_of(system)


def relaxed_crystal(
    structure: str, system: dict, calculator: EngineCalculator, settings: dict
) -> Relaxed:
    """Minimum of the energy of a structure: its symmetry is kept, whether it is stable or not.

    Parameters
    ----------
    settings
        `OF_CRYSTALS` with defaults.
    """
    atoms = crystal(system, structure, settings.get("c_over_a", IDEAL_C_OVER_A))
    atoms.calc = calculator
    return Relaxed(structure, atoms, descend(atoms, lattice_filter(structure, atoms), settings))


def lattice_filter(structure: str, atoms: Atoms, constant_volume: bool = False):
    """The lattice constants of a crystal, for ASE's optimisers."""
    from ase.filters import FrechetCellFilter

    kind = STRUCTURES[structure]
    if kind.cubic or kind.held:
        return FrechetCellFilter(atoms, hydrostatic_strain=True)
    return FrechetCellFilter(atoms, mask=[1, 1, 1, 0, 0, 0], constant_volume=constant_volume)


def descend(atoms: Atoms, relaxing, settings: dict) -> str:
    """Relax atoms, themselves or through a filter; empty, or why that led to no minimum.

    Parameters
    ----------
    atoms, relaxing
        The atoms, and what is relaxed of them: a filter, or they themselves.
    settings
        `CONVERGENCE` with defaults.
    """
    from ase.optimize import BFGS

    first = atoms.cell.volume
    try:
        optimizer = BFGS(relaxing, logfile=None, maxstep=_MAXSTEP_A)
        for _ in optimizer.irun(fmax=settings["force_eV_A"], steps=settings["steps"]):
            if not SMALLEST < atoms.cell.volume / first < LARGEST:
                before, after = first / len(atoms), atoms.cell.volume / len(atoms)
                return f"no minimum: its volume went from {before:.1f} to {after:.1f} A^3/atom"
    except Unusable as error:
        return f"no minimum: {error}"
    largest = np.linalg.norm(relaxing.get_forces(), axis=1).max()
    if largest <= settings["force_eV_A"]:
        return ""
    return f"not converged after {settings['steps']} steps: {largest:.2g} eV/A are left"


def crystal_mistakes(settings: dict, system: dict, cutoff_A: float) -> list[str]:
    """Structures that a system does not have, see `Observable.mistakes`."""
    if crystal_needs(system):
        return []
    return [f"structures: {m}" for m in structure_mistakes(system, settings.get("structures", []))]


def table_of(rows: list[dict]) -> pd.DataFrame:
    """Rows as a table, in which ``note`` is missing where no row has one."""
    table = pd.DataFrame(rows)
    table["note"] = table["note"].replace("", None)
    return table if table["note"].any() else table.drop(columns="note")
