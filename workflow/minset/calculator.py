"""ASE calculator of trained models: one, or a committee whose spread says how sure it is."""

import warnings
from pathlib import Path

import numpy as np
from ase.calculators.calculator import Calculator, CalculatorSetupError, all_changes
from ase.stress import full_3x3_to_voigt_6_stress

from minset.evaluation import Evaluation, Evaluator
from minset.model import evaluator_of


class ModelCalculator(Calculator):
    """Energy, free energy, forces, stress and energies of atoms of periodic configurations.

    Of a committee the means of its members; ``results["committee_spread"]``, shape (n,), is then the
    standard deviation of the force on each atom in eV/A: the root of the mean squared distance of the
    members' forces from their mean. Energies of atoms are left out where the model's baseline knows none.

    Parameters
    ----------
    models
        Folder of a trained model, or of each member of a committee.
    threads
        Of the force calls.
    reference
        Without what models approximate for speed: of a SchNet the network itself.
    warn_above_eV_A
        Warn where the committee's spread of the force on an atom is larger: the frame is unlike those of
        the training.

    Raises
    ------
    CalculatorSetupError
        When called, if the configuration is not periodic in all directions, or holds elements that a
        model does not know.
    ValueError
        If there is no model, one cannot be read, or there is a threshold and no committee; when called,
        if the configuration is absurd.
    """

    implemented_properties = ("energy", "free_energy", "forces", "stress", "energies")
    default_parameters: dict = {}  # noqa: RUF012

    def __init__(
        self,
        models: Path | str | list[Path | str],
        threads: int = 1,
        reference: bool = False,
        warn_above_eV_A: float | None = None,
        **of_ase,
    ):
        super().__init__(**of_ase)
        self.folders = [Path(m) for m in ([models] if isinstance(models, str | Path) else models)]
        if not self.folders:
            raise ValueError("no model: give the folder of one, or of each member of a committee")
        if warn_above_eV_A is not None and len(self.folders) == 1:
            raise ValueError(
                "warn_above_eV_A needs a committee: give the folders of two or more models"
            )
        self._how = {"threads": threads, "reference": reference, "fine": True}
        self._warn_above_eV_A = warn_above_eV_A
        self._numbers = np.zeros(0, int)
        self._evaluators: list[Evaluator] = []

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        """As of every calculator of ASE; all properties at once."""
        super().calculate(atoms, properties, system_changes)
        if not self.atoms.pbc.all():
            raise CalculatorSetupError(
                "minset's models are of periodic configurations: set atoms.pbc = True and a cell"
            )
        self._prepare(self.atoms.numbers)
        cell = self.atoms.cell[:]
        made = [evaluate(self.atoms.positions, cell) for evaluate in self._evaluators]
        self.results = _means(made, self.atoms.cell.volume)
        if len(made) > 1:
            self.results["committee_spread"] = _spread(made)
            self._warn(self.results["committee_spread"])

    def _prepare(self, numbers: np.ndarray) -> None:
        if np.array_equal(numbers, self._numbers):
            return
        try:
            self._evaluators = [evaluator_of(f, numbers, **self._how) for f in self.folders]
        except ValueError as error:
            raise CalculatorSetupError(str(error)) from error
        self._numbers = numbers.copy()

    def _warn(self, spread: np.ndarray) -> None:
        atom, limit = int(spread.argmax()), self._warn_above_eV_A
        if limit is not None and spread[atom] > limit:
            warnings.warn(
                f"extrapolation: the committee's force on atom {atom} ({self.atoms.symbols[atom]}) "
                f"spreads by {spread[atom]:.3g} eV/A, above {limit:g}",
                stacklevel=2,
            )


def _means(made: list[Evaluation], volume_A3: float) -> dict:
    """Results in ASE's units and signs."""
    energy = float(np.mean([m.energy_eV for m in made]))
    stress = np.mean([m.virial_eV for m in made], axis=0) / volume_A3
    results = {
        "energy": energy,
        "free_energy": energy,
        "forces": np.mean([m.forces_eV_A for m in made], axis=0),
        "stress": full_3x3_to_voigt_6_stress(stress),
    }
    energies = np.mean([m.atomic_energies_eV for m in made], axis=0)
    return results | ({"energies": energies} if np.isfinite(energies).all() else {})


def _spread(made: list[Evaluation]) -> np.ndarray:
    return np.sqrt(np.var([m.forces_eV_A for m in made], axis=0).sum(axis=1))
