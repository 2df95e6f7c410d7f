"""Read the trajectories that LAMMPS writes (``dump custom``) into plain arrays."""

from dataclasses import dataclass
from itertools import islice, pairwise
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
from ase.geometry import cell_to_cellpar

if TYPE_CHECKING:
    import MDAnalysis

COLUMNS = ("id", "element", "q", "x", "y", "z", "xu", "yu", "zu")
HEADER_LINES = 9
_ITEMS = {0: "TIMESTEP", 2: "NUMBER OF ATOMS", 4: "BOX BOUNDS", 8: "ATOMS"}


@dataclass(frozen=True)
class Trajectory:
    """Positions of ``n`` atoms in ``T`` frames at a constant interval.

    Attributes
    ----------
    species
        Chemical symbols, shape (n,).
    charges
        In units of the elementary charge, shape (n,).
    positions_A
        Positions wrapped into the cell, whose lower corner is the origin, in A, shape (T, n, 3).
    unwrapped_A
        The same followed through the periodic boundaries, in A, shape (T, n, 3).
    cells_A
        Lattice vectors as rows, in A, shape (T, 3, 3): a along x, b in the xy plane.
    steps
        MD step of each frame, shape (T,).
    """

    species: np.ndarray
    charges: np.ndarray
    positions_A: np.ndarray
    unwrapped_A: np.ndarray
    cells_A: np.ndarray
    steps: np.ndarray

    @property
    def is_orthogonal(self) -> bool:
        """Whether all cells lie along x, y and z."""
        return not self.cells_A[:, [1, 2, 2], [0, 0, 1]].any()

    @property
    def cell_lengths_A(self) -> np.ndarray:
        """Edges of orthogonal cells in A, shape (T, 3).

        Raises
        ------
        ValueError
            If a cell is tilted.
        """
        if not self.is_orthogonal:
            raise ValueError("the cell is tilted; this needs one with right angles")
        return np.diagonal(self.cells_A, axis1=1, axis2=2)

    @property
    def volumes_A3(self) -> np.ndarray:
        """Volumes of the cells in A^3, shape (T,)."""
        return np.diagonal(self.cells_A, axis1=1, axis2=2).prod(axis=1)

    @property
    def widths_A(self) -> np.ndarray:
        """Distances between opposite faces of the cells in A, shape (T, 3)."""
        if self.is_orthogonal:
            return self.cell_lengths_A
        return 1 / np.linalg.norm(np.linalg.inv(self.cells_A), axis=1)


def read_trajectory(path: str | Path) -> Trajectory:
    """Read a LAMMPS text dump; a last frame that a killed run left incomplete is dropped.

    MDAnalysis's reader takes three times as long, rounds to single precision and fails on the
    incomplete frame, so this one is our own.

    Parameters
    ----------
    path
        Text dump with at least the columns ``id element q x y z xu yu zu`` (A, elementary
        charges), every other column a number; sorted by id.

    Raises
    ------
    ValueError
        If the file holds no complete frame, or if columns, number or order of the atoms, charges
        or interval change within it. The message names the MD step.
    """
    path = Path(path)
    frames = []
    with path.open("rb") as file:
        while (header := _read_header(file, path)) is not None:
            step, n_atoms, box, columns = header
            where = f"{path}, MD step {step}"
            if not frames:
                expected = (n_atoms, columns)
                _require_columns(columns, where)
            if (n_atoms, columns) != expected:
                raise ValueError(
                    f"{where}: {n_atoms} atoms with the columns {' '.join(columns)}, but the file "
                    f"begins with {expected[0]} and {' '.join(expected[1])}; all frames of a "
                    "trajectory need the same"
                )
            lines = list(islice(file, n_atoms))
            if len(lines) < n_atoms or not lines[-1].endswith(b"\n"):
                break
            identity, coordinates = _frame_values(lines, columns, where)
            if not frames:
                reference = identity
            if identity != reference:
                raise ValueError(
                    f"{where}: ids, elements or charges are not those of the first frame; sort "
                    "the dump with `dump_modify ID sort id`"
                )
            frames.append((step, box, coordinates))
    if not frames:
        raise ValueError(f"{path}: no complete frame; was the run killed before its first dump?")
    return _assemble(frames, reference, path)


def frame_interval(trajectory: Trajectory) -> int:
    """MD steps between two frames; ValueError if there is one frame only."""
    if len(trajectory.steps) < 2:
        raise ValueError("the trajectory has one frame; dynamics need at least two")
    return int(trajectory.steps[1] - trajectory.steps[0])


def to_universe(trajectory: Trajectory, dt_ps: float) -> "MDAnalysis.Universe":
    """Wrapped positions as an MDAnalysis universe in memory (A, ps, single precision).

    Parameters
    ----------
    trajectory
        See `Trajectory`.
    dt_ps
        MD time step in ps.
    """
    import MDAnalysis
    from MDAnalysis.coordinates.memory import MemoryReader

    n_frames, n_ions = trajectory.positions_A.shape[:2]
    universe = MDAnalysis.Universe.empty(n_ions, trajectory=False)
    universe.add_TopologyAttr("types", trajectory.species.astype(object))
    universe.add_TopologyAttr("elements", trajectory.species.astype(object))
    universe.add_TopologyAttr("charges", trajectory.charges)
    universe.load_new(
        trajectory.positions_A.astype(np.float32),
        format=MemoryReader,
        order="fac",
        dimensions=np.array([cell_to_cellpar(cell) for cell in trajectory.cells_A]),
        dt=dt_ps * (frame_interval(trajectory) if n_frames > 1 else 1),
    )
    return universe


def ordered_species(trajectory: Trajectory) -> list[str]:
    """Species from the highest to the lowest charge, then by name: cations come first."""
    charge_of = dict(zip(trajectory.species.tolist(), trajectory.charges.tolist(), strict=True))
    return sorted(charge_of, key=lambda symbol: (-charge_of[symbol], symbol))


def _read_header(file: BinaryIO, path: Path) -> tuple[int, int, np.ndarray, tuple[str, ...]] | None:
    """Step, number of atoms, box (4, 3) in A and columns of the next frame.

    The box is its lower corner and three lattice vectors. None at the end of the file, also when it
    cuts the header.
    """
    lines = [line.decode(errors="replace") for line in islice(file, HEADER_LINES)]
    if len(lines) < HEADER_LINES or not lines[-1].endswith("\n"):
        return None
    if not all(lines[k].startswith(f"ITEM: {item}") for k, item in _ITEMS.items()):
        raise ValueError(
            f"{path}: expected `ITEM: TIMESTEP` but found {lines[0].strip()[:60]!r}; either this "
            "is no LAMMPS text dump, or a run was continued behind an incomplete frame"
        )
    where = f"{path}, MD step {lines[1].strip()[:20]}"
    if "abc origin" in lines[4]:
        raise ValueError(f"{where}: a box of vectors; write it with `triclinic/general no`")
    wide = 3 if lines[4].startswith("ITEM: BOX BOUNDS xy xz yz") else 2
    try:
        step, n_atoms = int(lines[1]), int(lines[3])
        bounds = np.array([line.split() for line in lines[5:8]], dtype=float)
        if bounds.shape != (3, wide):
            raise ValueError(f"bounds of the box in {bounds.shape[1]} columns, expected {wide}")
    except ValueError as error:
        raise ValueError(f"{where}: the header is damaged ({error})") from error
    box = _box(bounds)
    lengths = np.diag(box[1:])
    if not (0 <= step < 2**62 and 0 < n_atoms < 2**31 and np.all((lengths > 0) & (lengths < 1e9))):
        raise ValueError(f"{where}: {lines[3].strip()[:20]} atoms in a cell of {lengths} A")
    return step, n_atoms, box, tuple(lines[8].split()[2:])


def _box(bounds: np.ndarray) -> np.ndarray:
    """Lower corner and lattice vectors (4, 3) from the bounds of a dump.

    Those of a tilted box are of the box around it, its corners where the tilts reach
    (https://docs.lammps.org/Howto_triclinic.html).
    """
    low, high = bounds[:, 0].copy(), bounds[:, 1].copy()
    if bounds.shape[1] == 2:
        return np.vstack([low, np.diag(high - low)])
    xy, xz, yz = bounds[:, 2]
    low[0] -= min(0, xy, xz, xy + xz)
    high[0] -= max(0, xy, xz, xy + xz)
    low[1] -= min(0, yz)
    high[1] -= max(0, yz)
    lx, ly, lz = high - low
    return np.array([low, [lx, 0, 0], [xy, ly, 0], [xz, yz, lz]])


def _require_columns(columns: tuple[str, ...], where: str) -> None:
    """Raise ValueError if one of the needed columns is missing."""
    missing = [column for column in COLUMNS if column not in columns]
    if missing:
        raise ValueError(
            f"{where}: columns {' '.join(missing)} missing; the dump needs {' '.join(COLUMNS)}"
        )


def _frame_values(
    lines: list[bytes], columns: tuple[str, ...], where: str
) -> tuple[list[list[bytes]], np.ndarray]:
    """Ids, elements and charges as text (3, n), and ``x y z xu yu zu`` (n, 6), of one frame."""
    words = b"".join(lines).split()
    width = len(columns)
    if len(words) != len(lines) * width:
        raise ValueError(f"{where}: {len(words)} values, expected {len(lines)} x {width}")
    column = {name: words[columns.index(name) :: width] for name in COLUMNS}
    try:
        coordinates = np.array([column[name] for name in COLUMNS[3:]], dtype=float).T
    except ValueError as error:
        raise ValueError(f"{where}: a coordinate is not a number ({error})") from error
    if not np.all(np.isfinite(coordinates)):
        raise ValueError(f"{where}: a coordinate is not finite; the dynamics broke down")
    return [column[name] for name in COLUMNS[:3]], coordinates


def _assemble(
    frames: list[tuple[int, np.ndarray, np.ndarray]], identity: list[list[bytes]], path: Path
) -> Trajectory:
    """Stack frames of (step, box, coordinates), after a check of order and interval."""
    try:
        ids = [int(number) for number in identity[0]]
        elements = [element.decode() for element in identity[1]]
        charges = np.array(identity[2], dtype=float)
    except ValueError as error:
        raise ValueError(f"{path}: ids, elements or charges are damaged ({error})") from error
    if not np.all(np.isfinite(charges)):
        raise ValueError(f"{path}: a charge is not finite")
    if any(second <= first for first, second in pairwise(ids)):
        raise ValueError(f"{path}: atoms not in the order of their ids; `dump_modify ID sort id`")
    steps = np.array([step for step, _, _ in frames])
    intervals = np.diff(steps)
    odd = (intervals != intervals[:1]) | (intervals <= 0)
    if np.any(odd):
        at = int(np.argmax(odd))
        raise ValueError(
            f"{path}: MD step {steps[at + 1]} follows {steps[at]}, but the first interval is "
            f"{intervals[0]} steps; frames must come at one interval, each once"
        )
    boxes = np.array([box for _, box, _ in frames])
    origin = boxes[:, :1]
    return Trajectory(
        species=np.array(elements),
        charges=charges,
        positions_A=np.stack([values[:, :3] for _, _, values in frames]) - origin,
        unwrapped_A=np.stack([values[:, 3:] for _, _, values in frames]) - origin,
        cells_A=boxes[:, 1:],
        steps=steps,
    )
