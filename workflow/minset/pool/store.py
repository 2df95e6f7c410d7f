"""Pools on disk: one H5MD file, any frame of it readable without the others.

H5MD through znh5md: a documented HDF5 layout that other programs read, exact float64, random access.
"""

import contextlib
import functools
import hashlib
import os
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import znh5md
from ase import Atoms
from ase.data import chemical_symbols

from minset.files import written_aside
from minset.units import density_g_cm3

# a pool ends in these bytes and a hash of all before them; HDF5 does not look beyond its own end
_SEAL, _DIGEST = b"minset-blake2b-1", 32


def write_pool(path: Path, frames: Iterable[Atoms], frames_per_block: int = 1024) -> None:
    """Write all frames of a pool, or of one of its runs, in one step; memory holds one block."""
    frames = iter(frames)
    with written_aside(path) as aside:
        pool = znh5md.IO(aside, variable_shape=False, compression="gzip", chunk_size=[16, 128])
        while block := list(islice(frames, frames_per_block)):
            pool.extend(block)
        with open(aside, "rb+") as file:
            digest = _digest(file, os.path.getsize(aside))
            file.seek(0, os.SEEK_END)
            file.write(_SEAL + digest)


def read_frames(path: Path, indices=None) -> list[Atoms]:
    """Frames of a pool by index, in the order asked for; all if ``indices`` is None.

    Raises
    ------
    ValueError
        If the file is damaged or an index is beyond the pool.
    """
    size = pool_size(path)
    wanted = np.arange(size) if indices is None else np.asarray(indices, dtype=int)
    if len(beyond := wanted[(wanted < 0) | (wanted >= size)]):
        raise ValueError(f"{path} has {size} frames, asked for number {beyond[0]}")
    # HDF5 takes rising indices; one call is twenty times as fast as one per frame
    rising, place = np.unique(wanted, return_inverse=True)
    frames = _read(path, rising.tolist())
    return [frames[k] for k in place]


def pool_size(path: Path) -> int:
    """Number of frames of a pool, or of one of its runs; ValueError if the file is damaged."""
    with _damage_named(path), h5py.File(path) as file:
        return len(file["particles/atoms/position/value"])


def join_runs(path: Path, runs: dict[int, Path], frames_per_block: int = 1024) -> pd.DataFrame:
    """Write the frames of runs as one pool, one run after the other, in bounded memory.

    Parameters
    ----------
    path
        The pool.
    runs
        File of each run's frames, by the run's number, which becomes ``run`` in each frame's ``info``.
    frames_per_block
        Frames that are in memory at a time.

    Returns
    -------
    pandas.DataFrame
        ``summary`` of all frames.

    Raises
    ------
    ValueError
        If the file of a run is damaged.
    """
    tables = []

    def frames():
        for number, file in runs.items():
            size = pool_size(file)
            for begin in range(0, size, frames_per_block):
                block = _read(file, slice(begin, min(begin + frames_per_block, size)))
                for frame in block:
                    frame.info["run"] = number
                tables.append(summary(block))
                yield from block

    write_pool(path, frames(), frames_per_block)
    table = pd.concat(tables, ignore_index=True)
    return table.assign(frame=range(len(table)))


def _read(path: Path, which: slice | list[int]) -> list[Atoms]:
    with _damage_named(path):
        frames = znh5md.IO(path)[which] if which else []
        for frame in frames:
            volume = abs(np.linalg.det(frame.cell))
            if not (np.isfinite(frame.positions).all() and 0 < volume < np.inf):
                raise ValueError("positions or cell of a frame could not be used")
            if not (0 < frame.numbers.min() and frame.numbers.max() < len(chemical_symbols)):
                raise ValueError("a frame has an atom of no element")
        return frames


@contextlib.contextmanager
def _damage_named(path: Path) -> Iterator[None]:
    """Turn what HDF5 says of a damaged file into a line with the remedy."""
    try:
        status = os.stat(path)
        _require_whole(path, status.st_size, status.st_mtime_ns)
        yield
    except Exception as error:  # HDF5 and znh5md raise many kinds
        raise ValueError(
            f"the pool {path} cannot be read ({error}); remove it and run the pool again"
        ) from error


@functools.lru_cache(maxsize=64)
def _require_whole(path: Path, size: int, changed_ns: int) -> None:
    """HDF5 crashes over some damage and reads zeros over other: compare the file with its seal.

    A file without one, as other programs write it, passes.
    """
    with open(path, "rb") as file:
        end = max(0, size - len(_SEAL) - _DIGEST)
        file.seek(end)
        seal = file.read()
        file.seek(0)
        if seal.startswith(_SEAL) and seal != _SEAL + _digest(file, end):
            raise ValueError("its content does not match its checksum")


def _digest(file, size: int) -> bytes:
    """Hash of the first ``size`` bytes of an open file."""
    digest = hashlib.blake2b(digest_size=_DIGEST)
    while size and (block := file.read(min(size, 2**20))):
        digest.update(block)
        size -= len(block)
    return digest.digest()


# name of a property of the pool: where it is in the file, and what is made of it
_PROPERTIES = {
    "energy_eV": ("observables/atoms/potential_energy", None),
    "atomic_energies_eV": ("particles/atoms/energies", None),
    "force_size_eV_A": ("particles/atoms/force", lambda block: np.linalg.norm(block, axis=-1)),
}


def read_property(path: Path, name: str, frames_per_block: int = 4096) -> np.ndarray:
    """A property of all frames of a pool: per frame, shape (T,), or per atom, shape (T, n).

    Parameters
    ----------
    name
        ``energy_eV``, ``atomic_energies_eV`` or ``force_size_eV_A``.
    frames_per_block
        Bounds the memory beyond the result's.

    Raises
    ------
    ValueError
        If the file is damaged.
    """
    place, reduce = _PROPERTIES[name]
    with _damage_named(path), h5py.File(path) as file:
        data = file[f"{place}/value"]
        blocks = []
        for begin in range(0, len(data), frames_per_block):
            block = data[begin : begin + frames_per_block]
            blocks.append(reduce(block) if reduce else block)
        return np.concatenate(blocks)


def read_numbers(path: Path) -> np.ndarray:
    """Atomic numbers of the frames of a pool, shape (n,); ValueError if the file is damaged."""
    with _damage_named(path), h5py.File(path) as file:
        return file["particles/atoms/species/value"][0].astype(int)


def read_geometries(
    path: Path, frames_per_batch: int
) -> tuple[np.ndarray, int, Iterator[tuple[int, np.ndarray, np.ndarray]]]:
    """Positions and cells of a pool that may be larger than memory.

    Returns
    -------
    numbers, frames, batches
        Atomic numbers (n,), the number of frames, and an iterator over the number of the first frame
        of a batch, its positions (b, n, 3) and its cells (b, 3, 3), in A.
    """

    def batches():
        with h5py.File(path) as file:
            for begin in range(0, frames, frames_per_batch):
                with _damage_named(path):
                    atoms, batch = file["particles/atoms"], slice(begin, begin + frames_per_batch)
                    block = atoms["position/value"][batch], atoms["box/edges/value"][batch]
                yield begin, *block

    frames = pool_size(path)
    return read_numbers(path), frames, batches()


def summary(frames: list[Atoms]) -> pd.DataFrame:
    """One row per frame: index, MD run, time, temperature, pressure, density, energy per atom."""
    return pd.DataFrame(
        {
            "frame": range(len(frames)),
            "run": [f.info["run"] for f in frames],
            "time_ps": [f.info["time_ps"] for f in frames],
            "temperature_K": [f.info["temperature_K"] for f in frames],
            "pressure_bar": [f.info["pressure_bar"] for f in frames],
            "density_g_cm3": [density_g_cm3(f.get_masses().sum(), f.cell.volume) for f in frames],
            "potential_energy_eV_atom": [f.get_potential_energy() / len(f) for f in frames],
        }
    )
