"""Starting configurations that are no melts: frames of the pool, and crystals."""

from pathlib import Path

import numpy as np
from ase import Atoms

from minset.crystal import conventional_cell, crystal_needs
from minset.pool.store import read_frames, read_numbers, read_property
from minset.system import name_of, species_of
from minset.units import density_g_cm3 as density_of


def start_from_pool(system: dict, pool: Path, ions: int, density_g_cm3: float | None) -> Atoms:
    """A frame of the pool, repeated until it has as many atoms as are wanted.

    Of the frames whose numbers of atoms divide ``ions`` it is the one of median energy per atom
    among those with the most atoms; without energies, or where a density is wanted, the one of the
    nearest density. A pool says nothing of velocities.

    Parameters
    ----------
    system
        ``species``.
    pool
        Pool file.
    ions
        Atoms of the start.
    density_g_cm3
        To which it is scaled; None keeps the frame's own.

    Raises
    ------
    ValueError
        If no frame can be repeated to that many atoms; with the numbers of atoms that there are.
    """
    sizes = (read_numbers(pool) > 0).sum(axis=1)
    fitting = np.flatnonzero(ions % sizes == 0)
    if not len(fitting):
        known = ", ".join(map(str, np.unique(sizes)[:10]))
        raise ValueError(
            f"no frame of the pool of {name_of(system)} can be repeated to {ions} atoms: frames have "
            f"{known} atoms; let `ions` be a multiple of one of these"
        )
    fitting = fitting[sizes[fitting] == sizes[fitting].max()]
    energies = read_property(pool, "energy_eV")[fitting]
    if density_g_cm3 is None and np.isfinite(energies).all():
        middle = np.argsort(energies, kind="stable")[len(energies) // 2]
        frame = read_frames(pool, [fitting[middle]])[0]
    else:
        frames = read_frames(pool, fitting)
        densities = np.array([density_of(f.get_masses().sum(), f.cell.volume) for f in frames])
        wanted = np.median(densities) if density_g_cm3 is None else density_g_cm3
        frame = frames[int(np.argmin(np.abs(densities - wanted)))]
    start = Atoms(frame.numbers, positions=frame.positions, cell=frame.cell, pbc=True)
    start *= _repetitions(start.cell.lengths(), ions // len(frame))
    if density_g_cm3 is not None:
        factor = (density_of(start.get_masses().sum(), start.cell.volume) / density_g_cm3) ** (
            1 / 3
        )
        start.set_cell(start.cell * factor, scale_atoms=True)
    start.wrap()
    return start


def crystal_start_needs(system: dict, ions: int) -> str:
    """Why no cell of that many atoms can start as the crystal of a system; empty if one can."""
    if reason := crystal_needs(system):
        return reason
    atoms = len(conventional_cell(system))
    if ions % atoms:
        return (
            f"the crystal of {name_of(system)} has {atoms} atoms in a cell, of which {ions} is no "
            f"multiple; use {max(1, ions // atoms) * atoms} or {(ions // atoms + 1) * atoms}"
        )
    return ""


def start_from_crystal(system: dict, ions: int) -> Atoms:
    """The usual crystal of a system, in cells as nearly a cube as they can be; at rest.

    Parameters
    ----------
    system
        One of which `crystal_start_needs` says nothing; with ``crystal`` if its file has it.
    ions
        Number of atoms, in the order of the system's species.
    """
    cell = conventional_cell(system)
    start = cell * _repetitions(cell.cell.lengths(), ions // len(cell))
    species = species_of(system)
    order = np.argsort([species.index(s) for s in start.symbols], kind="stable")
    return start[order]


def _repetitions(edges_A: np.ndarray, times: int) -> tuple[int, int, int]:
    """Three factors of a number that make a cell as nearly a cube as they can."""
    factors = [
        (a, b, times // (a * b))
        for a in range(1, times + 1)
        for b in range(1, times + 1)
        if times % (a * b) == 0
    ]
    return min(factors, key=lambda each: np.ptp(np.log(edges_A * each)))
