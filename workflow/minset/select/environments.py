"""Environments of atoms for selector ``entropy_gain``: as quests has them, or the study's descriptors."""

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from quests.entropy import get_bandwidth
from vesin import NeighborList

from minset.pool.store import read_geometries, read_numbers
from minset.select.candidates import FRAMES, Candidates, read_atoms
from minset.select.environment_kernels import describe_atoms

FRAMES_PER_BATCH = 64
FILE = "environments.f32"


@dataclass(frozen=True)
class Environments:
    """Environments of the atoms of some frames, in a file: frame after frame, atoms by species.

    Attributes
    ----------
    path
        File of float32, shape (atoms of all frames, columns).
    columns
        Numbers that describe an environment.
    numbers
        Atomic numbers of all atoms in the order of the file.
    starts
        First atom of each frame, and the number of all atoms, shape (frames + 1,).
    bandwidth
        Of the kernel, by rule: quests' for the mean volume per atom, in 1/A; of descriptors Scott's,
        n^(-1 / (columns + 4)) for n environments, in standard deviations.
    """

    path: Path
    columns: int
    numbers: np.ndarray
    starts: np.ndarray
    bandwidth: float

    def of(self, row: int) -> np.ndarray:
        """Environments of a frame by its place in the file, shape (atoms, columns), float64."""
        first, end = self.starts[row : row + 2]
        count, offset = self.columns * (end - first), 4 * self.columns * first
        x = np.fromfile(self.path, np.float32, count, offset=offset)
        return x.reshape(-1, self.columns).astype(np.float64)


def environments(candidates: Candidates, options: dict) -> Environments:
    """Describe the environments of all atoms of the candidates, frames by increasing pool index.

    An atom is described by its neighbours, whatever they are, and if the candidates have several
    species once more by those of its own species alone, as quests' descriptor of systems with several
    components does: sorted inverse distances (1/A) to the nearest ``neighbours`` atoms and means of
    those among them, with weights that vanish at ``cutoff_A``. One that takes part in nothing is zero.

    Parameters
    ----------
    candidates
        Their ``work`` gets the file; one that is not complete is continued.
    options
        ``neighbours`` and ``cutoff_A``.
    """
    frames, path = np.sort(candidates.frames), candidates.work / FILE
    numbers = read_numbers(candidates.pool)[frames]
    starts = np.concatenate([[0], (numbers > 0).sum(axis=1).cumsum()])
    several = len(np.unique(numbers[numbers > 0])) > 1
    columns = (2 * options["neighbours"] - 1) * (2 if several else 1)
    ends = 4 * columns * starts  # of the frames before, in bytes
    size = path.stat().st_size if path.exists() else 0
    before = done = int(np.searchsorted(ends, size, side="right")) - 1
    began = reported = time.monotonic()
    volumes = []
    with open(path, "ab") as file:
        file.truncate(ends[done])
        for begin, own, positions, cells in read_geometries(candidates.pool, FRAMES_PER_BATCH):
            rows = frames[(frames >= begin) & (frames < begin + len(own))] - begin
            volumes.append(np.abs(np.linalg.det(cells[rows])))
            rows = rows[rows + begin >= frames[done]] if done < len(frames) else []
            if not len(rows):
                continue
            for k in rows:
                real = own[k] > 0
                x = _describe(positions[k, real], cells[k], own[k, real], several, options)
                file.write(x.astype(np.float32).tobytes())
            file.flush()
            done += len(rows)
            if time.monotonic() - reported > 5 or done == len(frames):
                reported = time.monotonic()
                rate = (done - before) / (reported - began)
                print(
                    f"environments of {done} of {len(frames)} frames, {rate:.0f} frames/s, "
                    f"{(len(frames) - done) / rate:.0f} s left",
                    flush=True,
                )
    volume = np.concatenate(volumes).mean() / (starts[-1] / len(frames))
    by_species = np.concatenate([np.sort(own[own > 0]) for own in numbers])
    return Environments(path, columns, by_species, starts, float(get_bandwidth(volume)))


def described_environments(candidates: Candidates) -> Environments:
    """The study's descriptors of all atoms of the candidates, frames by increasing pool index.

    Each with zero mean and unit variance over the atoms of its species.

    Parameters
    ----------
    candidates
        With descriptors of atoms; their ``work`` gets the file.
    """
    order = np.argsort(candidates.frames)
    numbers = read_numbers(candidates.pool)[candidates.frames[order]]
    read, _ = read_atoms(candidates)
    kinds = len(np.unique(numbers[numbers > 0]))  # each has a column behind the features
    path = candidates.work / FILE
    with open(path, "wb") as file:
        for block in np.array_split(np.arange(len(order)), max(1, len(order) // FRAMES)):
            for x, own in zip(read(order[block]), numbers[block], strict=True):
                by_species = np.argsort(own[own > 0], kind="stable")
                file.write(np.ascontiguousarray(x[own > 0][by_species, :-kinds]).tobytes())
    columns = x.shape[1] - kinds
    starts = np.concatenate([[0], (numbers > 0).sum(axis=1).cumsum()])
    all_by_species = np.concatenate([np.sort(own[own > 0]) for own in numbers])
    bandwidth = float(starts[-1]) ** (-1 / (columns + 4))
    return Environments(path, columns, all_by_species, starts, bandwidth)


def _describe(
    positions: np.ndarray, cell: np.ndarray, numbers: np.ndarray, several: bool, options: dict
) -> np.ndarray:
    """Environments of one frame, shape (atoms, columns), atoms by species."""
    k, cutoff = options["neighbours"], options["cutoff_A"]
    search = NeighborList(cutoff=cutoff, full_list=True, sorted=True, n_threads=1)
    i, *near = search.compute(positions, cell, periodic=True, quantities="ijDd")
    begin = np.searchsorted(i, np.arange(len(positions) + 1))
    x = np.empty((2 if several else 1, len(positions), 2 * k - 1))
    for own_kind, part in enumerate(x):
        describe_atoms(begin, *near, numbers, bool(own_kind), k, cutoff, part)
    return np.concatenate(x, axis=1)[np.argsort(numbers, kind="stable")]
