"""Force calls of potentials."""

import contextlib
from typing import NamedTuple

import numpy as np
from ase import Atoms

from minset.contacts import shortest_A
from minset.evaluation import Evaluation, Evaluator, require_apart, require_usable
from minset.md.cell import RestrictedCell
from minset.md.session import (
    gather,
    gather_compute,
    load_atoms,
    move_atoms,
    obey,
    open_lammps,
)
from minset.potential import commands_of, record_of
from minset.units import BAR_EV_A3


class SinglePoint(NamedTuple):
    """Energies in eV, forces (n, 3) in eV/A and stress (3, 3) in eV/A^3, tension positive."""

    energy_eV: float
    atomic_energies_eV: np.ndarray
    forces_eV_A: np.ndarray
    stress_eV_A3: np.ndarray
    shortest_A: np.ndarray
    version: str


def evaluator(system: dict, numbers: np.ndarray, threads: int = 1) -> Evaluator:
    """Force calls of the potential of a system, in any periodic cell.

    Parameters
    ----------
    system
        ``species`` and ``potential``.
    numbers
        Atomic numbers, shape (n,).
    threads
        Of potentials that LAMMPS does not compute.
    """
    if made := record_of(system).evaluator:
        return made(system, numbers, threads)[0]

    def evaluate(positions: np.ndarray, cell: np.ndarray) -> Evaluation:
        atoms = Atoms(numbers, positions=positions, cell=cell, pbc=True)
        return _evaluation(single_point(system, atoms), cell)

    return evaluate


def lasting_evaluator(system: dict, numbers: np.ndarray, threads: int = 1) -> Evaluator:
    """As `evaluator`, for many calls of one crystal: LAMMPS stays open and reads the potential once.

    An EAM file takes LAMMPS 0.1 s to read, and a force call of a unit cell one millisecond.
    """
    if made := record_of(system).evaluator:
        return made(system, numbers, threads)[0]
    lmp = None

    def evaluate(positions: np.ndarray, cell: np.ndarray) -> Evaluation:
        nonlocal lmp
        atoms = Atoms(numbers, positions=positions, cell=cell, pbc=True)
        shortest = _require_sound(atoms)
        try:
            with _lammps_in_words():
                if lmp is None:
                    lmp = open_lammps()
                    box = _prepare(lmp, system, atoms, triclinic=True)
                else:
                    box = move_atoms(lmp, atoms)
                point = _computed(lmp, box, shortest)
        except BaseException:
            lmp = None  # what it holds is not known
            raise
        _require_finite(point)
        return _evaluation(point, cell)

    return evaluate


def single_point(system: dict, atoms: Atoms, threads: int = 1) -> SinglePoint:
    """Energy, forces and stress of a periodic configuration, from a process of its own or LAMMPS.

    Raises
    ------
    ValueError
        If the configuration is absurd, holds other species than the system, or LAMMPS refuses it.
    """
    shortest = _require_sound(atoms)
    made = record_of(system).evaluator
    point = (
        _evaluated(made, system, atoms, threads) if made else _by_lammps(system, atoms, shortest)
    )
    _require_finite(point)
    return point


def _require_sound(atoms: Atoms) -> np.ndarray:
    """Shortest distances of a configuration, one of which a force call can be made."""
    require_usable(atoms.positions, atoms.cell[:])
    shortest = shortest_A(atoms.numbers, atoms.positions, atoms.cell[:])
    require_apart(shortest)
    return shortest


def _require_finite(point: SinglePoint) -> None:
    if not (np.isfinite(point.energy_eV) and np.isfinite(point.forces_eV_A).all()):
        raise ValueError(
            "energy or forces of the potential are not finite; the closest atoms are "
            f"{point.shortest_A.min():.3g} A apart"
        )


def _evaluation(point: SinglePoint, cell: np.ndarray) -> Evaluation:
    return Evaluation(
        energy_eV=point.energy_eV,
        atomic_energies_eV=point.atomic_energies_eV,
        forces_eV_A=point.forces_eV_A,
        virial_eV=point.stress_eV_A3 * abs(np.linalg.det(cell)),
        shortest_A=point.shortest_A,
    )


def _evaluated(made, system: dict, atoms: Atoms, threads: int) -> SinglePoint:
    evaluate, version = made(system, atoms.numbers, threads)
    result = evaluate(atoms.positions, atoms.cell[:])
    return SinglePoint(
        energy_eV=result.energy_eV,
        atomic_energies_eV=result.atomic_energies_eV,
        forces_eV_A=result.forces_eV_A,
        stress_eV_A3=result.virial_eV / atoms.cell.volume,
        shortest_A=result.shortest_A,
        version=version,
    )


def _by_lammps(system: dict, atoms: Atoms, shortest: np.ndarray) -> SinglePoint:
    lmp = open_lammps()
    try:
        with _lammps_in_words():
            return _computed(lmp, _prepare(lmp, system, atoms), shortest)
    finally:
        lmp.close()


@contextlib.contextmanager
def _lammps_in_words():
    """LAMMPS's errors as ValueError."""
    try:
        yield
    except (ValueError, OSError):
        raise
    except Exception as error:  # LAMMPS raises plain Exception, its message on the first line
        message = str(error).partition("\n")[0]
        raise ValueError(f"LAMMPS cannot compute the configuration: {message}") from error


def _prepare(lmp, system: dict, atoms: Atoms, triclinic: bool = False) -> RestrictedCell:
    """Atoms, potential and all that is to be computed; on request in a box that any cell can become."""
    box = load_atoms(lmp, atoms, system)
    if triclinic:
        lmp.command("change_box all triclinic")
    for command in commands_of(system):
        obey(lmp, command)
    lmp.command("compute atomic all pe/atom")
    # thermo's columns say what LAMMPS computes in this step
    lmp.command("compute total all reduce sum c_atomic")
    lmp.command("thermo_style custom step pe c_total pxx pyy pzz pxy pxz pyz")
    return box


def _computed(lmp, box: RestrictedCell, shortest: np.ndarray) -> SinglePoint:
    lmp.command("run 0")
    pressure = [lmp.get_thermo(k) for k in ("pxx", "pyy", "pzz", "pyz", "pxz", "pxy")]
    xx, yy, zz, yz, xz, xy = -np.array(pressure) * BAR_EV_A3
    return SinglePoint(
        energy_eV=float(lmp.get_thermo("pe")),
        atomic_energies_eV=gather_compute(lmp, "atomic"),
        forces_eV_A=box.from_lammps(gather(lmp, "f", 3)),
        stress_eV_A3=box.tensor_from_lammps(np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]])),
        shortest_A=shortest,
        version=f"LAMMPS {lmp.version()}",
    )
