"""Trajectories made by formula, and as LAMMPS writes them."""

from pathlib import Path

import numpy as np

from minset.md.trajectory import Trajectory


def trajectory_of(species, charges: dict, unwrapped_A, edges_A, every: int = 10) -> Trajectory:
    """Trajectory of positions (T, n, 3), a frame each `every` steps.

    Charges are by element; edges of the orthogonal cells are one for all, or any that broadcast to
    (T, 3).
    """
    edges_A = np.broadcast_to(np.asarray(edges_A, dtype=float), (len(unwrapped_A), 3))
    return Trajectory(
        species=np.asarray(species),
        charges=np.array([charges[symbol] for symbol in species], dtype=float),
        positions_A=unwrapped_A % edges_A[:, None, :],
        unwrapped_A=unwrapped_A,
        cells_A=edges_A[:, :, None] * np.eye(3),
        steps=np.arange(len(unwrapped_A)) * every,
    )


def write_dump(path: Path, trajectory: Trajectory) -> None:
    """Write a trajectory to the last bit, in the columns of minset's own runs."""
    atoms = [
        f"{k} {symbol} {charge:g}"
        for k, (symbol, charge) in enumerate(
            zip(trajectory.species, trajectory.charges, strict=True), 1
        )
    ]
    with path.open("w") as file:
        for t, step in enumerate(trajectory.steps):
            file.write(f"ITEM: TIMESTEP\n{step}\nITEM: NUMBER OF ATOMS\n{len(atoms)}\n")
            file.write(_box(trajectory.cells_A[t], tilted=not trajectory.is_orthogonal))
            file.write("ITEM: ATOMS id element q x y z xu yu zu\n")
            places = np.hstack([trajectory.positions_A[t], trajectory.unwrapped_A[t]]).tolist()
            for atom, place in zip(atoms, places, strict=True):
                file.write(f"{atom} {' '.join(map(repr, place))}\n")


def _box(cell_A: np.ndarray, tilted: bool) -> str:
    """Bounds of a cell from the origin; of a tilted one those of the box around it, and the tilts."""
    if not tilted:
        return "ITEM: BOX BOUNDS pp pp pp\n" + "".join(
            f"0 {edge!r}\n" for edge in np.diag(cell_A).tolist()
        )
    corners = np.array(np.meshgrid(*[(0, 1)] * 3)).reshape(3, -1).T @ cell_A
    bounds = zip(
        corners.min(axis=0), corners.max(axis=0), cell_A[[1, 2, 2], [0, 0, 1]], strict=True
    )
    lines = [f"{low} {high} {tilt}\n" for low, high, tilt in bounds]
    return "ITEM: BOX BOUNDS xy xz yz pp pp pp\n" + "".join(lines)
