"""Every entry of DESCRIPTORS: what it may depend on and what not, for frames of any kind."""

import numpy as np
import pytest
from ase import Atoms

from conformance.examples import options_of
from conformance.force_calls import ROTATION, off_its_sites
from minset.descriptor import DESCRIPTORS
from minset.pool.store import write_pool

pytestmark = pytest.mark.parametrize("name", DESCRIPTORS)
ALLOWED = 1e-4  # of the spread of a descriptor over the frames: float32 sums in another order
ORDER = np.random.default_rng(1).permutation(32)


@pytest.fixture(scope="module")
def describe(tmp_path_factory):
    """Descriptors of some frames, of ``frames`` or of ``atoms``."""

    def call(name: str, frames: list[Atoms], of: str, threads: int = 1) -> np.ndarray:
        folder, record = tmp_path_factory.mktemp("described"), DESCRIPTORS[name]
        write_pool(folder / "pool.h5", frames)
        options = options_of("DESCRIPTORS", name, record)
        record.describe(folder / "pool.h5", folder / f"{of}.npy", of, options, threads)
        return np.load(folder / f"{of}.npy", allow_pickle=False)

    return call


def others(melt: Atoms) -> list[Atoms]:
    """Further frames of the same atoms, which say how much a descriptor varies."""
    return [off_its_sites(melt, seed) for seed in range(10, 14)]


def translated(frame: Atoms) -> None:
    frame.positions += [1.1, -7.0, 3.3]


def wrapped(frame: Atoms) -> None:
    frame.positions += [2.0, 0.5, -4.0]
    frame.wrap()


def elsewhere(frame: Atoms) -> None:
    """Some atoms, by whole cells."""
    frame.positions[::3] += [1, -2, 3] @ frame.cell


def rotated(frame: Atoms) -> None:
    frame.positions = frame.positions @ ROTATION
    frame.set_cell(frame.cell[:] @ ROTATION)


def mirrored(frame: Atoms) -> None:
    frame.positions *= [1, 1, -1]
    frame.set_cell(frame.cell[:] * [1, 1, -1])


def of_other_vectors(frame: Atoms) -> None:
    frame.set_cell(np.array([[1.0, 0, 0], [1, 1, 0], [0, -1, 1]]) @ frame.cell)


CHANGES = (translated, wrapped, elsewhere, rotated, mirrored, of_other_vectors)


@pytest.mark.parametrize("of", ["frames", "atoms"])
def test_it_depends_on_nothing_but_distances_and_species(name, of, describe, melt32):
    start = off_its_sites(melt32)
    frames = [start.copy() for _ in CHANGES]
    for change, frame in zip(CHANGES, frames, strict=True):
        change(frame)
    frames += [start, start[ORDER], *others(melt32)]
    x = describe(name, frames, of)
    assert x.dtype == np.float32
    assert x.shape[0] == len(frames)
    assert np.isfinite(x).all()
    spread, first = x[-4:].std(), x[len(CHANGES)]
    assert spread > 0
    for change, row in zip(CHANGES, x, strict=False):
        assert np.abs(row - first).max() < ALLOWED * spread, change.__name__
    reordered = first if of == "frames" else first[ORDER]
    assert np.abs(x[len(CHANGES) + 1] - reordered).max() < ALLOWED * spread


def test_it_sees_an_atom_move_and_two_that_change_places(name, describe, melt32):
    start = off_its_sites(melt32)
    moved, exchanged = start.copy(), start.copy()
    moved.positions[5] += [0.2, -0.1, 0.15]
    ends = [int(np.flatnonzero(start.numbers == z)[0]) for z in np.unique(start.numbers)]
    exchanged.numbers[ends] = exchanged.numbers[ends[::-1]]
    frames = [start, start, moved, exchanged, *others(melt32)]
    for of in ("frames", "atoms"):
        x = describe(name, frames, of)
        # in the last bits BLAS may tell places of a batch apart
        assert np.abs(x[1] - x[0]).max() < ALLOWED * x[4:].std()
        for changed in x[2:4]:
            assert np.abs(changed - x[0]).max() > 100 * ALLOWED * x[4:].std()


@pytest.mark.parametrize("of", ["frames", "atoms"])
def test_the_same_call_gives_the_same_and_threads_change_nothing(name, of, describe, melt32):
    frames = others(melt32)
    x = describe(name, frames, of)
    assert np.array_equal(x, describe(name, frames, of))
    assert np.abs(describe(name, frames, of, threads=2) - x).max() < ALLOWED * x.std()


@pytest.fixture(scope="module")
def mixed() -> list[Atoms]:
    """Frames of other species, order, size and cell than those beside them."""
    rng, frames = np.random.default_rng(0), []
    for symbols in ("K3Cl3", "ClKClKClK", "K2", "NaClKClNaClKCl", "K", "Al4"):
        cell = 7 * np.eye(3) + rng.normal(scale=0.5, size=(3, 3))
        frame = Atoms(symbols, cell=cell, pbc=True)
        frame.set_scaled_positions(rng.random((len(frame), 3)))
        frames.append(frame)
    return frames


def test_the_descriptor_of_a_frame_is_the_mean_over_each_species_of_the_pool(name, describe, mixed):
    frames, atoms = (describe(name, mixed, of) for of in ("frames", "atoms"))
    kinds = np.unique(np.concatenate([frame.numbers for frame in mixed]))
    features = atoms.shape[2]
    assert frames.shape == (len(mixed), len(kinds) * features)
    for row, x, frame in zip(frames.reshape(-1, len(kinds), features), atoms, mixed, strict=True):
        for part, z in zip(row, kinds, strict=True):
            own = np.flatnonzero(frame.numbers == z)
            expected = x[own].mean(axis=0) if len(own) else np.zeros(features)
            assert np.allclose(part, expected, atol=ALLOWED * atoms.std())


def test_a_frame_is_described_alike_whatever_stands_beside_it(name, describe, mixed):
    together = describe(name, mixed, "atoms")
    assert together.shape[:2] == (len(mixed), max(map(len, mixed)))
    for x, frame in zip(together, mixed, strict=True):
        n = len(frame)
        (alone,) = describe(name, [frame], "atoms")
        assert np.abs(x[:n] - alone).max() < ALLOWED * together.std()
        assert (x[n:] == x[0]).all(), "rows of padding repeat the frame's first atom"


def test_a_frame_that_cannot_be_described_is_nan_and_the_others_are_not(name, describe, mixed):
    frames = [frame.copy() for frame in mixed]
    frames[1].positions[2, 0] = np.nan
    frames[3].cell[2] = 0.0
    frames[5].positions[1, 2] = 1e300
    for of in ("frames", "atoms"):
        x = describe(name, frames, of)
        told = np.isnan(x).reshape(len(frames), -1)
        assert told.any(axis=1).tolist() == [False, True, False, True, False, True]
