"""Radial distribution functions of an ideal gas and of crystals, where the answer is known."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from minset.analyse.rdf import partial_rdfs, rdf_peaks
from minset.analyse.trajectory import Trajectory


def trajectory_of(species: np.ndarray, charges: np.ndarray, positions: np.ndarray, edges):
    edges = np.broadcast_to(np.asarray(edges, dtype=float), (len(positions), 3))
    return Trajectory(
        species=np.asarray(species),
        charges=np.asarray(charges, dtype=float),
        positions_A=positions % edges[:, None, :],
        unwrapped_A=positions,
        cell_lengths_A=edges,
        steps=np.arange(len(positions)) * 10,
    )


def shaken(atoms: Atoms, charges: dict[str, float], amplitude: float = 0.05) -> Trajectory:
    rng = np.random.default_rng(6)
    noise = rng.normal(0, amplitude, (40, len(atoms), 3))
    symbols = atoms.get_chemical_symbols()
    return trajectory_of(
        np.array(symbols),
        np.array([charges[symbol] for symbol in symbols]),
        atoms.positions + noise,
        atoms.cell.lengths(),
    )


@pytest.fixture(scope="module")
def ideal_gas() -> Trajectory:
    rng = np.random.default_rng(7)
    edges = np.array([10.0, 11.0, 12.0])
    positions = rng.uniform(0, 1, (1500, 24, 3)) * edges
    return trajectory_of(["Cl"] * 8 + ["K"] * 16, [-1] * 8 + [1] * 16, positions, edges)


def test_ideal_gas_is_1_at_all_distances_and_sizes(ideal_gas):
    """Also for like pairs of 8 ions, where N instead of N - 1 would give 0.875."""
    rdfs = partial_rdfs(ideal_gas, range_A=5.0, bins=10, blocks=50, max_frames=1500)
    assert rdfs["pair"].unique().tolist() == ["K-K", "K-Cl", "Cl-Cl"]
    far = rdfs[rdfs["r_A"] > 1]
    deviation = (far["g"] - 1) / far["g_stderr"]
    assert deviation.abs().max() < 4
    assert 0.6 < deviation.std() < 1.6
    for _, rdf in far.groupby("pair"):
        assert rdf["g"].mean() == pytest.approx(1, abs=0.01)


def test_ideal_gas_has_the_coordination_number_of_its_density(ideal_gas):
    rdfs = partial_rdfs(ideal_gas, range_A=5.0, bins=10, blocks=50, max_frames=1500)
    within_5 = 4 / 3 * np.pi * 5**3 / (10 * 11 * 12)
    last = rdfs.groupby("pair").last()["coordination_number"]
    assert last["K-Cl"] == pytest.approx(8 * within_5, rel=0.02)
    assert last["K-K"] == pytest.approx(15 * within_5, rel=0.02)
    assert rdf_peaks(rdfs)["peak_r_A"].isna().all()


def test_rocksalt_has_6_unlike_and_12_like_neighbours():
    crystal = bulk("KCl", "rocksalt", a=6.3, cubic=True).repeat(3)
    rdfs = partial_rdfs(shaken(crystal, {"K": 1, "Cl": -1}), range_A=7.5, bins=150, blocks=4)
    peaks = rdf_peaks(rdfs).set_index("pair")
    for pair, neighbours, distance in (("K-Cl", 6, 6.3 / 2), ("K-K", 12, 6.3 / np.sqrt(2))):
        assert peaks["coordination_number"][pair] == pytest.approx(neighbours, abs=0.01)
        assert peaks["peak_r_A"][pair] == pytest.approx(distance, abs=0.03)
    assert peaks["coordination_number"]["Cl-Cl"] == pytest.approx(12, abs=0.01)


def test_fcc_has_12_neighbours():
    crystal = bulk("Al", "fcc", a=4.05, cubic=True).repeat(4)
    rdfs = partial_rdfs(shaken(crystal, {"Al": 0}), range_A=8.0, bins=160, blocks=2)
    peaks = rdf_peaks(rdfs)
    assert peaks["pair"].tolist() == ["Al-Al"]
    assert peaks["coordination_number"][0] == pytest.approx(12, abs=0.01)
    assert peaks["peak_r_A"][0] == pytest.approx(4.05 / np.sqrt(2), abs=0.03)


def test_frames_are_thinned_over_the_whole_trajectory(ideal_gas):
    thinned = partial_rdfs(ideal_gas, range_A=5.0, bins=10, blocks=5, max_frames=100)
    every_15th = trajectory_of(
        ideal_gas.species,
        ideal_gas.charges,
        ideal_gas.positions_A[::15],
        ideal_gas.cell_lengths_A[::15],
    )
    same = partial_rdfs(every_15th, range_A=5.0, bins=10, blocks=5)
    np.testing.assert_allclose(thinned["g"], same["g"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"range_A": 5.01}, r"5\.01 A is not between 0 and half .* 5\.0000 A"),
        ({"range_A": 0.0}, "not between 0 and half"),
        ({"blocks": 1}, "1 blocks"),
        ({"blocks": 1501}, "1501 blocks from 1500 frames"),
    ],
)
def test_impossible_requests_say_what_would_be_right(ideal_gas, options, message):
    with pytest.raises(ValueError, match=message):
        partial_rdfs(ideal_gas, **{"range_A": 5.0, "bins": 10, "blocks": 5} | options)
