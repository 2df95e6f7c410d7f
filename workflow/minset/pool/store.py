"""Pools on disk: one H5MD file, any frame of it readable without the others.

H5MD through znh5md: a documented HDF5 layout that other programs read, exact float64, random access.
Each frame has its own species, order, cell and number of atoms: arrays of atoms are as long as the
largest frame, and NaN stands behind the atoms of a smaller one, and where a frame lacks a value.
"""

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.data import chemical_symbols

from minset.files import written_aside
from minset.pool.access import opened, seal
from minset.units import density_g_cm3

if TYPE_CHECKING:
    import h5py


def write_pool(path: Path, frames: Iterable[Atoms], frames_per_block: int = 1024) -> None:
    """Write all frames of a pool, or of one of its runs, in one step; memory holds one block."""
    import znh5md

    frames = iter(frames)
    with written_aside(path) as aside:
        pool = znh5md.IO(aside, variable_shape=False, compression="gzip", chunk_size=[16, 128])
        while block := list(islice(frames, frames_per_block)):
            pool.extend([_with_energies(block[0], block), *block[1:]])
        _fill_up(aside)
        seal(aside)


def _with_energies(first: Atoms, block: list[Atoms]) -> Atoms:
    """The first frame of a block, with atomic energies if any has them: NaN where it knows none.

    By this frame znh5md decides whether a property of the calculator stands with the atoms.
    """
    known, *others = [frame.calc.results if frame.calc else {} for frame in block]
    if "energies" in known or not any("energies" in results for results in others):
        return first
    image, unknown = first.copy(), np.full(len(first), np.nan)
    image.calc = SinglePointCalculator(image, **known, energies=unknown)
    return image


def _fill_up(path: Path) -> None:
    """Give each property a row for each frame: it ends at the last block that had it."""
    import h5py

    with h5py.File(path, "r") as file:
        frames, short = len(file["particles/atoms/species/value"]), []

        def look(name, item):
            if name.endswith("/value") and len(item) < frames:
                short.append(name)

        file.visititems(look)
    if short:
        with h5py.File(path, "r+") as file:
            for name in short:
                file[name].resize(frames, axis=0)  # with the fill value: NaN, or no text


def read_frames(path: Path, indices=None) -> list[Atoms]:
    """Frames of a pool by index, in the order asked for; all if ``indices`` is None.

    Raises
    ------
    ValueError
        If the file is damaged or an index is beyond the pool.
    OSError
        If the file is not there, locked, or may not be read, as in all functions that read pools.
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
    with opened(path) as file:
        return len(_particles(file)["position/value"])


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
    import znh5md

    with opened(path) as file:
        frames = znh5md.IO(file_handle=file)[which] if which else []
        for frame in frames:
            volume = abs(np.linalg.det(frame.cell))
            if not (np.isfinite(frame.positions).all() and 0 < volume < np.inf):
                raise ValueError("positions or cell of a frame could not be used")
            if not (0 < frame.numbers.min() and frame.numbers.max() < len(chemical_symbols)):
                raise ValueError("a frame has an atom of no element")
            _restore_nan(frame)
        return frames


def _restore_nan(frame: Atoms) -> None:
    """Put back what znh5md took for padding: NaN at the end of the values of the atoms."""
    results = frame.calc.results if frame.calc else {}
    for name, shape in (("energies", (len(frame),)), ("forces", (len(frame), 3))):
        value = results.get(name)
        if value is not None and value.shape != shape:
            results[name] = np.full(shape, np.nan)
            results[name][tuple(map(slice, value.shape))] = value


# name of a property of the pool: what it is called in the file, and what is made of it
_PROPERTIES = {
    "energy_eV": ("potential_energy", None),
    "atomic_energies_eV": ("energies", None),
    "force_size_eV_A": ("force", lambda block: np.linalg.norm(block, axis=-1)),
}


def read_property(path: Path, name: str, frames_per_block: int = 4096) -> np.ndarray:
    """A property of all frames of a pool.

    Parameters
    ----------
    path
        Pool file.
    name
        ``energy_eV``, ``atomic_energies_eV`` or ``force_size_eV_A``.
    frames_per_block
        Bounds the memory beyond the result's.

    Returns
    -------
    numpy.ndarray
        Of frames, shape (T,), or of atoms, shape (T, n_max). NaN for padding, and where the file does
        not know it: a pool of another program may have no energies.

    Raises
    ------
    ValueError
        If the file is damaged.
    """
    key, reduce = _PROPERTIES[name]
    with opened(path) as file:
        particles = _particles(file)
        shape = particles["species/value"].shape
        values = np.full(shape[:1] if name == "energy_eV" else shape, np.nan)
        # znh5md has atomic energies here or there, depending on whether the first frame has any
        for group in (f"observables{particles.name.removeprefix('/particles')}", particles.name):
            if f"{group}/{key}/value" not in file:
                continue
            data = file[f"{group}/{key}/value"]
            for begin in range(0, len(data), frames_per_block):
                block = data[begin : begin + frames_per_block]
                block = reduce(block) if reduce else block
                part = values[begin : begin + len(block)][..., : block.shape[-1]]
                np.copyto(part, block, where=np.isnan(part))
        return values


def read_numbers(path: Path) -> np.ndarray:
    """Atomic numbers of all frames of a pool, shape (T, n_max), uint8, 0 for padding.

    Raises
    ------
    ValueError
        If the file is damaged.
    """
    with opened(path) as file:
        return _numbers(_particles(file)["species/value"][:])


def read_geometries(
    path: Path, frames_per_batch: int
) -> Iterator[tuple[int, np.ndarray, np.ndarray, np.ndarray]]:
    """Geometries of a pool that may be larger than memory, batch by batch.

    Yields
    ------
    begin, numbers, positions, cells
        Index of the first frame of the batch; atomic numbers, shape (b, n_max), 0 for padding, which
        stands behind a frame's atoms; positions (b, n_max, 3) and cells (b, 3, 3) in A.

    Raises
    ------
    ValueError
        If the file is damaged.
    """
    for begin in range(0, pool_size(path), frames_per_batch):
        batch = slice(begin, begin + frames_per_batch)
        with opened(path) as file:
            particles = _particles(file)
            numbers = _numbers(particles["species/value"][batch])
            positions = particles["position/value"][batch]
            cells = particles["box/edges/value"][batch]
        yield begin, numbers, positions, cells


def _particles(file: "h5py.File") -> "h5py.Group":
    """The atoms of a pool: ``atoms`` in our own, the first group in those of other programs."""
    return file["particles"][next(iter(file["particles"]))]


def _numbers(species: np.ndarray) -> np.ndarray:
    """Atomic numbers from what the file has, NaN behind the atoms of a frame."""
    real = ~np.isnan(species)
    if not (real[:, 0].all() and (real[:, 1:] <= real[:, :-1]).all()):
        raise ValueError("a frame has no atoms, or an atom without a species")
    numbers = np.where(real, species, 1)
    if not ((numbers > 0) & (numbers < len(chemical_symbols)) & (numbers % 1 == 0)).all():
        raise ValueError("a frame has an atom of no element")
    return np.where(real, numbers, 0).astype(np.uint8)


def summary(frames: list[Atoms]) -> pd.DataFrame:
    """One row per frame: index, MD run, time, temperature, pressure, density, energy per atom.

    What a frame does not know is NaN.
    """
    names = ("run", "time_ps", "temperature_K", "pressure_bar")
    return pd.DataFrame(
        {"frame": range(len(frames))}
        | {name: [frame.info.get(name, np.nan) for frame in frames] for name in names}
        | {
            "density_g_cm3": [density_g_cm3(f.get_masses().sum(), f.cell.volume) for f in frames],
            "potential_energy_eV_atom": [_energy_eV(frame) / len(frame) for frame in frames],
        }
    )


def _energy_eV(frame: Atoms) -> float:
    known = frame.calc.results if frame.calc else {}
    return frame.get_potential_energy() if "energy" in known else np.nan
