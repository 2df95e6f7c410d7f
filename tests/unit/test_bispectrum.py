"""Bispectrum components and their gradients: LAMMPS's, and derivatives of numbers."""

import itertools

import numpy as np
import pytest
from ase import Atoms
from studies import STUDY, alter, mistakes

from minset.descriptor import DESCRIPTORS
from minset.descriptor.bispectrum import bispectrum, bispectrum_gradient, weights_of
from minset.descriptor.bispectrum_tables import names, tables_of
from minset.md.session import open_lammps
from minset.pool.store import write_pool

CELL = np.array([[7.0, 0, 0], [1.5, 6.5, 0], [-1.0, 0.5, 8.2]])
WEIGHT = {"Na": 1.0, "Cl": 0.4}
CHOICES = [(3, 6, 4.0), (3, 8, 5.5), (8, 55, 4.4)]


def options(twojmax: int, components: int, cutoff_A: float) -> dict:
    return {"twojmax": twojmax, "components": components, "cutoff_A": cutoff_A}


@pytest.fixture(scope="module")
def frame() -> Atoms:
    """Sixteen ions in a tilted cell that is smaller than twice the cutoffs."""
    rng, placed = np.random.default_rng(1), []
    while len(placed) < 16:
        trial = Atoms("X", [rng.random(3) @ CELL])
        near = Atoms("X" * (len(placed) + 1), [*placed, trial.positions[0]], cell=CELL, pbc=True)
        if len(placed) == 0 or near.get_distances(-1, range(len(placed)), mic=True).min() > 1.7:
            placed.append(trial.positions[0])
    return Atoms("NaCl" * 8, placed, cell=CELL, pbc=True)


def by_lammps(frame: Atoms, choice: dict, compute: str) -> np.ndarray:
    """``sna/atom`` or ``snad/atom`` of a frame, shape (n, columns)."""
    import ctypes

    (ax, *_), (bx, by, _), (cx, cy, cz) = frame.cell[:]
    radii, weights = "0.5 0.5", " ".join(map(str, WEIGHT.values()))
    settings = f"{choice['cutoff_A']} 0.99363 {choice['twojmax']} {radii} {weights} bzeroflag 0"
    lammps = open_lammps()
    lammps.commands_string(
        "units metal\natom_style atomic\natom_modify map yes sort 0 0\nboundary p p p\n"
        f"region all prism 0 {ax} 0 {by} 0 {cz} {bx} {cx} {cy}\ncreate_box 2 all\n"
        "mass * 1\npair_style zero 6.0\npair_coeff * *\n"
    )
    types = [1 if symbol == "Na" else 2 for symbol in frame.symbols]
    ids = list(range(1, len(frame) + 1))
    lammps.create_atoms(len(frame), ids, types, frame.positions.ravel().tolist())
    lammps.commands_string(f"compute b all {compute} {settings}\nrun 0 post no")
    columns = len(names(choice["twojmax"])) * (1 if compute == "sna/atom" else 6)
    values = lammps.gather("c_b", 1, columns)
    return (
        np.ctypeslib.as_array(
            ctypes.cast(values, ctypes.POINTER(ctypes.c_double)), (len(frame) * columns,)
        )
        .reshape(len(frame), columns)
        .copy()
    )


@pytest.mark.parametrize("choice", CHOICES, ids=str)
def test_components_are_those_of_lammps(frame, choice):
    choice = options(*choice)
    weights = weights_of(frame.symbols, WEIGHT)
    found = bispectrum(frame.positions, frame.cell[:], weights, choice)
    expected = by_lammps(frame, choice, "sna/atom")[:, : choice["components"]]
    assert np.ptp(expected, axis=0).min() > 0.1
    assert np.allclose(found, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("choice", CHOICES[1:], ids=str)
def test_gradients_are_those_of_lammps(frame, choice):
    """``snad/atom``: minus the gradient of the sum of each component over the atoms of each species."""
    choice = options(*choice)
    weights = weights_of(frame.symbols, WEIGHT)
    expected = by_lammps(frame, choice, "snad/atom")
    expected = expected.reshape(len(frame), 2, 3, choice["components"])
    for (kind, symbol), k in itertools.product(enumerate(WEIGHT), range(0, 55, 7)):
        if k < choice["components"]:
            slopes = np.zeros((len(frame), choice["components"]))
            slopes[frame.symbols == symbol, k] = 1.0
            found = bispectrum_gradient(frame.positions, frame.cell[:], weights, choice, slopes)
            assert np.allclose(found, -expected[:, kind, :, k], rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("choice", CHOICES, ids=str)
def test_gradients_are_derivatives(frame, choice):
    choice = options(*choice)
    weights = weights_of(frame.symbols, WEIGHT)
    slopes = np.random.default_rng(2).normal(size=(len(frame), choice["components"]))

    def value(positions):
        return float((slopes * bispectrum(positions, frame.cell[:], weights, choice)).sum())

    gradient = bispectrum_gradient(frame.positions, frame.cell[:], weights, choice, slopes)
    assert np.allclose(gradient.sum(axis=0), 0, atol=1e-9)
    for atom, axis in ((0, 0), (5, 1), (11, 2)):
        moved, step = frame.positions.copy(), 1e-5
        moved[atom, axis] += step
        up = value(moved)
        moved[atom, axis] -= 2 * step
        slope = (up - value(moved)) / (2 * step)
        assert gradient[atom, axis] == pytest.approx(slope, rel=1e-6, abs=1e-6)


def test_the_first_six_are_the_same_from_twojmax_3_on():
    assert (
        names(3)[:6]
        == names(8)[:6]
        == [tuple(map(int, t)) for t in ("000", "101", "112", "202", "213", "222")]
    )
    assert [len(names(twojmax)) for twojmax in (2, 3, 4, 6, 8)] == [5, 8, 14, 30, 55]


def test_an_atom_without_neighbours_has_the_components_of_itself_alone():
    choice = options(3, 8, 3.0)
    alone = bispectrum(np.zeros((1, 3)), 10 * np.eye(3), np.ones(1), choice)
    # the trace of the product of unit matrices that the couplings leave
    assert alone[0] == pytest.approx([(j + 1) for _, _, j in names(3)])


def test_weights_of_elements_are_their_covalent_radii_but_for_those_given():
    assert weights_of(["Na", "Cl", "Na"], {"Cl": -2.0}) == pytest.approx([1.66, -2.0, 1.66])


def test_more_components_than_there_are_is_said(tmp_path, frame, config):
    alter(config, STUDY, {"descriptors": {"descriptor": "bispectrum", "components": 9}})
    assert any("descriptors.components: with twojmax 3 there are 8" in m for m in mistakes(config))

    write_pool(tmp_path / "pool.h5", [frame])
    given = options(3, 9, 4.0) | {"weights": {}}
    with pytest.raises(ValueError, match="there are 8 bispectrum components with twojmax 3, not 9"):
        DESCRIPTORS["bispectrum"].describe(tmp_path / "pool.h5", tmp_path / "x.npy", "atoms", given)
    assert tables_of(3, 8).terms[:, 0].max() == 7
