"""Radial distribution functions of an ideal gas and of crystals, where the answer is known."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from ase import Atoms
from ase.build import bulk
from trajectories import trajectory_of, write_dump

from minset.md.trajectory import Trajectory
from minset.observe.rdf import (
    RECORD,
    partial_rdfs,
    rdf_difference,
    rdf_differences,
    run_rdfs,
)
from minset.observe.rdf_peaks import rdf_peaks


def shaken(atoms: Atoms, charges: dict[str, float], amplitude: float = 0.05) -> Trajectory:
    rng = np.random.default_rng(6)
    noise = rng.normal(0, amplitude, (40, len(atoms), 3))
    symbols = atoms.get_chemical_symbols()
    return trajectory_of(symbols, charges, atoms.positions + noise, atoms.cell.lengths())


def some_frames(trajectory: Trajectory, chosen: slice) -> Trajectory:
    arrays = ("positions_A", "unwrapped_A", "cells_A", "steps")
    return dataclasses.replace(trajectory, **{k: getattr(trajectory, k)[chosen] for k in arrays})


@pytest.fixture(scope="module")
def ideal_gas() -> Trajectory:
    rng = np.random.default_rng(7)
    edges = np.array([10.0, 11.0, 12.0])
    positions = rng.uniform(0, 1, (1500, 24, 3)) * edges
    return trajectory_of(["Cl"] * 8 + ["K"] * 16, {"Cl": -1, "K": 1}, positions, edges)


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


def test_a_tilted_cell_has_the_rdf_of_the_crystal_that_it_holds():
    """fcc in rhombohedra of 60 degrees, whose smallest height is 0.82 of their edge."""
    crystal = bulk("Al", "fcc", a=4.05).repeat(6)
    crystal.set_cell(crystal.cell.standard_form()[0], scale_atoms=True)
    noise = np.random.default_rng(6).normal(0, 0.05, (40, len(crystal), 3))
    cell = np.array(crystal.cell)
    positions = crystal.positions + noise
    tilted = Trajectory(
        species=np.repeat("Al", len(crystal)),
        charges=np.zeros(len(crystal)),
        positions_A=(positions @ np.linalg.inv(cell) % 1) @ cell,
        unwrapped_A=positions,
        cells_A=np.tile(cell, (40, 1, 1)),
        steps=np.arange(40),
    )
    half = 6 * 4.05 / np.sqrt(3) / 2
    rdfs = partial_rdfs(tilted, range_A=half - 0.01, bins=140, blocks=4)
    cube = bulk("Al", "fcc", a=4.05, cubic=True).repeat(4)
    reference = partial_rdfs(shaken(cube, {"Al": 0}), half - 0.01, bins=140, blocks=4)
    # atoms that cross the edges of bins are all the difference; the first peak is 10 high
    assert reference["g"].max() > 10
    assert np.abs(rdfs["g"] - reference["g"]).mean() < 0.05
    assert rdf_peaks(rdfs)["coordination_number"][0] == pytest.approx(12, abs=0.01)
    with pytest.raises(ValueError, match=r"half the smallest height of the cell, 7\.0148 A"):
        partial_rdfs(tilted, range_A=7.02, bins=140, blocks=4)


def test_frames_are_thinned_over_the_whole_trajectory(ideal_gas):
    thinned = partial_rdfs(ideal_gas, range_A=5.0, bins=10, blocks=5, max_frames=100)
    every_15th = some_frames(ideal_gas, slice(None, None, 15))
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


def rdf_table(r: np.ndarray, g: np.ndarray, stderr: float, **columns) -> pd.DataFrame:
    """RDF of one pair in the form of `partial_rdfs`."""
    table = pd.DataFrame({"pair": "K-K", "r_A": r, "g": g, "g_stderr": stderr})
    return table.assign(coordination_number=np.cumsum(g), **columns)


R = np.arange(0.025, 8, 0.05)


def liquid(peak: float) -> np.ndarray:
    """RDF with a first peak of height 3 at a distance, 0 before it and 1 behind."""
    return np.where(
        R < peak, 3 * np.exp(-8 * (R - peak) ** 2), 1 + 2 * np.exp(-8 * (R - peak) ** 2)
    )


def test_difference_of_known_curves():
    """A constant offset of 0.05, and errors of 0.03 and 0.04 with a mean of 0.05 sqrt(2/pi)."""
    row = rdf_difference(rdf_table(R, liquid(4.0) + 0.05, 0.03), rdf_table(R, liquid(4.0), 0.04))
    row = row.squeeze()
    assert row["difference"] == pytest.approx(0.05)
    assert row["noise_floor"] == pytest.approx(0.05 * np.sqrt(2 / np.pi))
    assert row["peak_difference_A"] == pytest.approx(0, abs=1e-6)
    assert row["peak_difference_g"] == pytest.approx(0.05)
    assert row["closest_A"] == R[0]


def test_difference_tells_a_shifted_peak_and_ions_too_close():
    artefact = 0.5 * np.exp(-(((R - 1.5) / 0.1) ** 2))
    reference = rdf_table(R, liquid(4.0), 0.01)
    shifted = rdf_difference(rdf_table(R, liquid(4.2), 0.01), reference).squeeze()
    assert shifted["peak_difference_A"] == pytest.approx(0.2, abs=0.01)
    assert shifted["closest_A"] - shifted["reference_closest_A"] == pytest.approx(0.2, abs=0.03)
    # exp(-x^2 / 0.01) / 2 = 0.01 at x = 0.198
    broken = rdf_difference(rdf_table(R, liquid(4.0) + artefact, 0.01), reference).squeeze()
    assert broken["closest_A"] == pytest.approx(1.5 - 0.198, abs=0.05)
    assert broken["difference"] == pytest.approx(0.5 * 0.1 * np.sqrt(np.pi) / 8, rel=0.01)


def test_two_runs_of_one_system_differ_by_the_noise_floor(ideal_gas):
    halves = [
        dataclasses.replace(
            ideal_gas,
            positions_A=ideal_gas.positions_A[part],
            unwrapped_A=ideal_gas.unwrapped_A[part],
            cells_A=ideal_gas.cells_A[part],
            steps=ideal_gas.steps[part],
        )
        for part in (slice(750), slice(750, None))
    ]
    rdfs = [partial_rdfs(half, range_A=5.0, bins=40, blocks=25) for half in halves]
    table = rdf_difference(*rdfs)
    ratio = table["difference"] / table["noise_floor"]
    assert ratio.mean() == pytest.approx(1, abs=0.15)


def test_rdfs_with_other_bins_have_no_difference():
    with pytest.raises(ValueError, match="different pairs or bins"):
        rdf_difference(rdf_table(R, liquid(4.0), 0.01), rdf_table(R + 0.01, liquid(4.0), 0.01))


def test_models_are_compared_with_every_classical_potential_of_their_simulation(tmp_path):
    paths, rows = [], []
    for simulation, engine, peak, stable in (
        ("hot", "bmhtf", 4.0, True),
        ("hot", "rnd-n8-s1-small", 4.0, False),
        ("hot", "rnd-n8-s2-small", None, False),
        ("cold", "bmhtf", 4.1, True),
        ("cold", "bmhtf-published-sign", 4.2, True),
        ("cold", "rnd-n8-s1-small", 4.3, True),
    ):
        paths.append(tmp_path / f"{simulation}-{engine}.csv")
        table = pd.DataFrame(columns=["note"])
        if peak:
            table = rdf_table(R, liquid(peak), 0.01, stable=stable, frames=50)
        table.to_csv(paths[-1], index=False)
        rows.append({"simulation": simulation, "engine": engine, "temperature_K": 1200})
    table = rdf_differences(paths, rows)
    assert table["simulation"].tolist() == ["hot", "cold", "cold"]
    assert table["reference"].tolist() == ["bmhtf", "bmhtf", "bmhtf-published-sign"]
    assert table["stable"].tolist() == [False, True, True]
    assert table["peak_difference_A"].to_numpy() == pytest.approx([0, 0.2, 0.1], abs=0.01)
    none = rdf_differences(paths[:1], rows[:1])
    assert none.empty
    assert {"simulation", "engine", "reference"} <= set(none)


def test_a_broken_run_has_the_rdf_of_its_frames_up_to_the_break(tmp_path, ideal_gas):
    path = tmp_path / "trajectory.lammpstrj"
    write_dump(path, some_frames(ideal_gas, slice(12)))
    rdfs = run_rdfs(path, stable=False, range_A=5.0, bins=10)
    assert not rdfs["stable"].any()
    assert set(rdfs["frames"]) == {12}
    whole = run_rdfs(path, stable=True, range_A=5.0, bins=10)
    assert whole["stable"].all()
    assert whole["g"].tolist() == rdfs["g"].tolist()


def test_a_run_that_broke_at_once_has_no_rdf_and_says_why(tmp_path, ideal_gas, capsys):
    path = tmp_path / "trajectory.lammpstrj"
    write_dump(path, some_frames(ideal_gas, slice(4)))
    assert run_rdfs(path, stable=False, range_A=5.0, bins=10).empty
    path.write_text("")
    assert run_rdfs(path, stable=False, range_A=5.0, bins=10).empty
    printed = capsys.readouterr().out
    assert "4 frames, needs 5" in printed
    assert "no complete frame" in printed
    with pytest.raises(ValueError, match="no complete frame"):
        run_rdfs(path, stable=True, range_A=5.0, bins=10)


def test_the_record_has_the_peaks_of_whole_runs_only(tmp_path, ideal_gas):
    path = tmp_path / "trajectory.lammpstrj"
    write_dump(path, some_frames(ideal_gas, slice(12)))
    settings = {"range_A": 5.0, "bins": 10}
    for stable, pairs in ((True, 3), (False, 0)):
        source = {"trajectory": path, "verdict": {"stable": stable}}
        tables = RECORD.observe(source, {}, settings, 1)
        assert list(tables) == list(RECORD.tables)
        assert len(tables["rdf"]) == 30
        assert len(tables["rdf_peaks"]) == pairs


def test_a_cell_too_small_for_the_range_is_told_before_it_runs():
    settings = {"range_A": 8.0}
    assert not RECORD.mistakes(settings, {"ions": 100}, 16.0)
    assert not RECORD.mistakes(settings, {"ions": 100}, None)
    (mistake,) = RECORD.mistakes(settings, {"ions": 100}, 15.9)
    assert mistake.startswith("ions: 100 ions make a cell of 15.90 A")
    assert "at most 7.95 A" in mistake


def test_standard_errors_of_peaks_are_how_they_scatter():
    rng = np.random.default_rng(3)
    found = pd.concat(
        [
            rdf_peaks(rdf_table(R, liquid(4.6) + rng.normal(0, 0.02, len(R)), 0.02))
            for _ in range(300)
        ]
    )
    assert found["peak_r_A"].mean() == pytest.approx(4.6, abs=0.01)
    for column, stderr in (("peak_r_A", "peak_r_stderr_A"), ("peak_g", "peak_g_stderr")):
        assert found[stderr].mean() == pytest.approx(found[column].std(), rel=0.2)


def test_noise_makes_no_peaks_and_no_coordination_numbers():
    rng = np.random.default_rng(4)
    for noise in (0.15, 0.5):
        for _ in range(20):
            (row,) = rdf_peaks(rdf_table(R, 1 + rng.normal(0, noise, len(R)), noise)).itertuples()
            assert np.isnan(row.peak_r_A)
            assert np.isnan(row.coordination_number)
