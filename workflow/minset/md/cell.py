"""Cells as LAMMPS takes them: a along x, b in the xy plane, tilts of at most half an edge."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class RestrictedCell:
    """A cell in LAMMPS's frame, and the way back. Cells along x, y and z are what they were.

    Attributes
    ----------
    cell_A
        Lower triangular with a positive diagonal, spans the same lattice, shape (3, 3).
    rotation
        R, shape (3, 3): a row vector v of LAMMPS is v R in the frame of the original cell.
    combination
        M, shape (3, 3), integers: the original cell is M ``cell_A`` R.
    is_orthogonal
        Whether the original cell lies along x, y and z; then R and M are unit matrices.
    """

    cell_A: np.ndarray
    rotation: np.ndarray
    combination: np.ndarray
    is_orthogonal: bool

    def to_lammps(self, vectors: np.ndarray) -> np.ndarray:
        """Row vectors (..., 3) of the original frame in LAMMPS's."""
        return vectors if self.is_orthogonal else vectors @ self.rotation.T

    def from_lammps(self, vectors: np.ndarray) -> np.ndarray:
        """Row vectors (..., 3) of LAMMPS's frame in the original one."""
        return vectors if self.is_orthogonal else vectors @ self.rotation

    def tensor_from_lammps(self, tensor: np.ndarray) -> np.ndarray:
        """A tensor (3, 3) of LAMMPS's frame, such as a stress, in the original one."""
        return tensor if self.is_orthogonal else self.rotation.T @ tensor @ self.rotation

    def cell_from_lammps(self, cell_A: np.ndarray) -> np.ndarray:
        """A cell that LAMMPS has made of ``cell_A``, as the original vectors would have become."""
        return cell_A if self.is_orthogonal else self.combination @ cell_A @ self.rotation


def restricted(cell_A: np.ndarray) -> RestrictedCell:
    """Cell for LAMMPS of any cell.

    Parameters
    ----------
    cell_A
        Lattice vectors as rows, shape (3, 3), linearly independent; left-handed ones too.
    """
    cell, unit = np.asarray(cell_A, dtype=float), np.eye(3)
    lengths = np.linalg.norm(cell, axis=1)
    if np.allclose(cell, np.diag(lengths)):
        return RestrictedCell(np.diag(lengths), unit, unit, True)
    combined = unit.copy()  # reduced cell = combined @ cell @ R^T
    if np.linalg.det(cell) < 0:
        combined[2] *= -1  # the same lattice, right-handed
    q, r = np.linalg.qr((combined @ cell).T)
    signs = np.sign(np.diag(r))
    triangular, rotation = r.T * signs, signs[:, None] * q.T
    # the tilt of c along b before that along a, which it changes
    for i, j in ((1, 0), (2, 1), (2, 0)):
        times = triangular[i, j] / triangular[j, j]
        if abs(times) > 0.5 + 1e-9:
            triangular[i] -= np.round(times) * triangular[j]
            combined[i] -= np.round(times) * combined[j]
    return RestrictedCell(triangular, rotation, np.round(np.linalg.inv(combined)), False)


def box_of(lmp) -> tuple[np.ndarray, np.ndarray]:
    """Lower corner (3,) and lattice vectors (3, 3) of LAMMPS's box as it is, in A."""
    low, high, xy, yz, xz = lmp.extract_box()[:5]
    edges = np.subtract(high, low)
    return np.array(low), np.array([[edges[0], 0, 0], [xy, edges[1], 0], [xz, yz, edges[2]]])
