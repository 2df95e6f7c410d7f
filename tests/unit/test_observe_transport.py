"""Diffusion and conductivity of random walkers, where Einstein and Nernst-Einstein are exact."""

from dataclasses import replace

import numpy as np
import pytest
from ase import units
from ase.data import atomic_masses, atomic_numbers
from trajectories import trajectory_of, write_dump

from minset.md.trajectory import Trajectory
from minset.observe.einstein import NO_DIFFUSION
from minset.observe.transport import (
    RECORD,
    experimental_conductivity,
    experimental_diffusion,
    ionic_conductivity,
    mean_squared_displacement,
    self_diffusion,
)

DT_PS, EVERY, EDGE_A, TEMPERATURE_K = 0.002, 25, 15.0, 1300.0
FRAME_PS = DT_PS * EVERY
A2_PS_IN_1E9_M2_S = 10.0
CHARGES = {"K": 1.0, "Mg": 2.0, "Cl": -1.0}


def walkers(
    numbers: dict[str, int], diffusion_A2_ps: dict[str, float], n_frames: int, seed: int
) -> Trajectory:
    rng = np.random.default_rng(seed)
    species = np.repeat(list(numbers), list(numbers.values()))
    width = np.sqrt(2 * FRAME_PS * np.array([diffusion_A2_ps[symbol] for symbol in species]))
    steps = rng.normal(size=(n_frames, len(species), 3)) * width[:, None]
    positions = rng.uniform(0, EDGE_A, (len(species), 3)) + np.cumsum(steps, axis=0)
    return trajectory_of(species, CHARGES, positions, EDGE_A, EVERY)


def nernst_einstein_S_cm(trajectory: Trajectory, diffusion_A2_ps: dict[str, float]) -> float:
    """Sum of N z^2 e^2 D / (V k_B T), from SI constants."""
    squares = sum(
        charge**2 * diffusion_A2_ps[symbol] * 1e-8
        for symbol, charge in zip(trajectory.species, trajectory.charges, strict=True)
    )
    volume_m3 = (EDGE_A * 1e-10) ** 3
    return squares * units._e**2 / (volume_m3 * units._k * TEMPERATURE_K) / 100


def seen_from_the_centre_of_mass(trajectory: Trajectory, diffusion: dict[str, float]) -> dict:
    """Diffusion coefficients that are left of independent walkers without their common drift."""
    each = np.array([diffusion[symbol] for symbol in trajectory.species])
    masses = atomic_masses[[atomic_numbers[symbol] for symbol in trajectory.species]]
    weights = masses / masses.sum()
    left = each * (1 - 2 * weights) + np.sum(weights**2 * each)
    return {symbol: left[trajectory.species == symbol].mean() for symbol in diffusion}


def test_self_diffusion_of_random_walkers():
    diffusion = {"K": 0.9, "Cl": 0.3}
    deviations = []
    for seed in range(4):
        trajectory = walkers({"K": 30, "Cl": 20}, diffusion, 1000, seed)
        exact = seen_from_the_centre_of_mass(trajectory, diffusion)
        table = self_diffusion(trajectory, DT_PS, start_ps=0.5).set_index("species")
        assert table.index.tolist() == ["K", "Cl"]
        for symbol, row in table.iterrows():
            value, stderr = row["diffusion_1e-9_m2_s"], row["diffusion_stderr_1e-9_m2_s"]
            assert value == pytest.approx(exact[symbol] * A2_PS_IN_1E9_M2_S, rel=0.12)
            assert stderr < 0.06 * value
            assert row["diffusion_ci_low_1e-9_m2_s"] < value < row["diffusion_ci_high_1e-9_m2_s"]
            deviations.append((value - exact[symbol] * A2_PS_IN_1E9_M2_S) / stderr)
    assert 0.3 < np.sqrt(np.mean(np.square(deviations))) < 1.7


@pytest.mark.parametrize("numbers", [{"K": 20, "Cl": 20}, {"Mg": 12, "Cl": 24}])
def test_conductivity_of_independent_ions_is_nernst_einstein(numbers):
    diffusion = {"K": 0.9, "Mg": 0.9, "Cl": 0.3}
    ratios, errors = [], []
    for seed in range(8):
        trajectory = walkers(numbers, diffusion, 2000, seed)
        exact = nernst_einstein_S_cm(trajectory, diffusion)
        row = ionic_conductivity(trajectory, DT_PS, TEMPERATURE_K, start_ps=0.5).iloc[0]
        ratios.append(row["conductivity_S_cm"] / exact)
        errors.append(row["conductivity_stderr_S_cm"] / exact)
    scatter = np.mean(errors) / np.sqrt(len(errors))
    assert np.mean(ratios) == pytest.approx(1, abs=3 * scatter)
    assert scatter < 0.06
    assert 0.3 < np.sqrt(np.mean(((np.array(ratios) - 1) / errors) ** 2)) < 1.7


def test_conductivity_agrees_with_a_direct_einstein_helfand_sum():
    trajectory = walkers({"K": 20, "Cl": 20}, {"K": 0.9, "Cl": 0.3}, 4000, seed=11)
    row = ionic_conductivity(trajectory, DT_PS, TEMPERATURE_K, start_ps=0.5).iloc[0]
    dipole = np.einsum("i,tix->tx", trajectory.charges, trajectory.unwrapped_A)
    lags = np.arange(10, 30)
    squares = [np.mean(np.sum((dipole[lag:] - dipole[:-lag]) ** 2, axis=1)) for lag in lags]
    slope_A2_ps = np.polyfit(lags * FRAME_PS, squares, 1)[0]
    direct = slope_A2_ps * 1e-8 * units._e**2 / (6 * (EDGE_A * 1e-10) ** 3)
    direct *= 1 / (units._k * TEMPERATURE_K) / 100
    assert abs(row["conductivity_S_cm"] - direct) < 2 * row["conductivity_stderr_S_cm"]
    assert row["conductivity_stderr_S_cm"] < 0.2 * direct


def test_ions_that_move_in_neutral_pairs_carry_no_current():
    diffusion = {"K": 0.9, "Cl": 0.9}
    trajectory = walkers({"K": 20, "Cl": 20}, diffusion, 1000, seed=12)
    rng = np.random.default_rng(13)
    positions = trajectory.unwrapped_A.copy()
    positions[:, 20:] = positions[:, :20] + rng.normal(0, 0.3, (1000, 20, 3))
    paired = replace(trajectory, unwrapped_A=positions)
    row = ionic_conductivity(paired, DT_PS, TEMPERATURE_K, start_ps=0.5).iloc[0]
    assert row["conductivity_S_cm"] < 0.03 * nernst_einstein_S_cm(trajectory, diffusion)


def test_a_drift_of_the_whole_salt_changes_nothing():
    trajectory = walkers({"K": 10, "Cl": 10}, {"K": 0.9, "Cl": 0.3}, 500, seed=14)
    wind = np.arange(500)[:, None, None] * np.array([0.2, -0.1, 0.05])
    drifting = replace(trajectory, unwrapped_A=trajectory.unwrapped_A + wind)
    still, moving = (mean_squared_displacement(t, DT_PS, 0.5) for t in (trajectory, drifting))
    np.testing.assert_allclose(moving["msd_A2"], still["msd_A2"], rtol=1e-6)
    # The Monte Carlo chain follows the last digits of the data.
    np.testing.assert_allclose(moving["fit_A2"], still["fit_A2"], rtol=0.01)


def test_msd_is_the_average_over_ions_and_origins_and_the_line_is_the_fit():
    trajectory = walkers({"K": 10, "Cl": 10}, {"K": 0.9, "Cl": 0.3}, 500, seed=15)
    table = mean_squared_displacement(trajectory, DT_PS, start_ps=0.5)
    masses = atomic_masses[[atomic_numbers[symbol] for symbol in trajectory.species]]
    centre = np.average(trajectory.unwrapped_A, axis=1, weights=masses)
    relative = trajectory.unwrapped_A - centre[:, None, :]
    fitted = self_diffusion(trajectory, DT_PS, start_ps=0.5).set_index("species")
    for symbol, msd in table.groupby("species"):
        ions = relative[:, trajectory.species == symbol]
        lags = (msd["time_ps"] / FRAME_PS).round().astype(int)
        direct = [np.mean(np.sum((ions[lag:] - ions[:-lag]) ** 2, axis=-1)) for lag in lags]
        np.testing.assert_allclose(msd["msd_A2"], direct, rtol=1e-6)
        assert msd["fit_A2"].isna().eq(msd["time_ps"] < 0.5 - 1e-9).all()
        line = msd.dropna()
        slope = np.polyfit(line["time_ps"], line["fit_A2"], 1)[0]
        assert slope / 6 * A2_PS_IN_1E9_M2_S == pytest.approx(fitted["diffusion_1e-9_m2_s"][symbol])


def test_same_seed_same_numbers_and_thinning_keeps_the_result():
    trajectory = walkers({"K": 20, "Cl": 20}, {"K": 0.9, "Cl": 0.3}, 1000, seed=16)
    first, again = (self_diffusion(trajectory, DT_PS, start_ps=0.5, seed=5) for _ in range(2))
    assert first.equals(again)
    thinned = self_diffusion(trajectory, DT_PS, start_ps=0.5, max_frames=250)
    difference = thinned["diffusion_1e-9_m2_s"] - first["diffusion_1e-9_m2_s"]
    assert (difference.abs() < 2 * first["diffusion_stderr_1e-9_m2_s"]).all()


def test_what_cannot_be_computed_says_why():
    trajectory = walkers({"K": 10, "Cl": 10}, {"K": 0.9, "Cl": 0.3}, 100, seed=17)
    with pytest.raises(ValueError, match=r"4\.95 ps is too short .* at least 20 ps"):
        self_diffusion(trajectory, DT_PS, start_ps=2.0)
    sparse = walkers({"K": 10, "Cl": 10}, {"K": 0.9, "Cl": 0.3}, 17, seed=17)
    with pytest.raises(ValueError, match=r"fewer than 3 lags between 0\.075 and 0\.15 ps"):
        self_diffusion(sparse, DT_PS, start_ps=0.075)
    swelling = replace(trajectory, cells_A=np.linspace(15 * np.eye(3), 16 * np.eye(3), 100))
    with pytest.raises(ValueError, match="the cell changes"):
        mean_squared_displacement(swelling, DT_PS, start_ps=0.2)
    unbalanced = replace(trajectory, charges=trajectory.charges + 0.1)
    with pytest.raises(ValueError, match="charges add up to 2 e"):
        ionic_conductivity(unbalanced, DT_PS, TEMPERATURE_K, start_ps=0.2)
    neutral_atoms = replace(trajectory, charges=np.zeros(20))
    with pytest.raises(ValueError, match="charges add up to 0 e"):
        ionic_conductivity(neutral_atoms, DT_PS, TEMPERATURE_K, start_ps=0.2)


def caged(trajectory: Trajectory, amplitude_A: float, seed: int) -> Trajectory:
    """The same ions, each about its first place (white noise, the fastest of cages)."""
    noise = np.random.default_rng(seed).normal(0, amplitude_A, trajectory.unwrapped_A.shape)
    return replace(trajectory, unwrapped_A=trajectory.unwrapped_A[:1] + noise)


def test_what_is_caged_does_not_diffuse_and_carries_no_current():
    """Also the check of the whole path; that of the slopes is in test_observe_einstein."""
    liquid = walkers({"K": 20, "Cl": 20}, {"K": 0.9, "Cl": 0.3}, 400, seed=18)
    solid = caged(liquid, 0.3, seed=19)
    diffusion = self_diffusion(solid, DT_PS, start_ps=0.5)
    assert diffusion["note"].tolist() == [NO_DIFFUSION] * 2
    assert (diffusion[["diffusion_1e-9_m2_s", "diffusion_ci_low_1e-9_m2_s"]] == 0).all(axis=None)
    # a free walker that comes as far, 6 * 0.3^2 A^2 within 2 ps, has 4.5e-10 m^2/s
    assert diffusion["diffusion_ci_high_1e-9_m2_s"].between(0, 0.1, inclusive="neither").all()
    row = ionic_conductivity(solid, DT_PS, TEMPERATURE_K, start_ps=0.5).iloc[0]
    assert row["note"] == NO_DIFFUSION
    assert row["conductivity_S_cm"] == row["conductivity_ci_low_S_cm"] == 0
    free = nernst_einstein_S_cm(liquid, {"K": 0.09 / 2, "Cl": 0.09 / 2})
    assert row["conductivity_ci_high_S_cm"] < free
    msd = mean_squared_displacement(solid, DT_PS, start_ps=0.5)
    for _, ions in msd.groupby("species"):
        line = ions.dropna()
        # 6 a^2 without the motion of the centre of mass
        assert line["fit_A2"].to_numpy() == pytest.approx(6 * 0.3**2, rel=0.1)
        assert line["fit_A2"].nunique() == 1


def test_liquids_have_no_note():
    trajectory = walkers({"K": 20, "Cl": 20}, {"K": 0.9, "Cl": 0.3}, 500, seed=20)
    assert "note" not in self_diffusion(trajectory, DT_PS, start_ps=0.5)


def test_conductivity_of_short_liquid_runs_is_off_by_no_factor():
    """One walker, ten times its first lag, where kinisi's covariance often is none."""
    diffusion, found = {"K": 0.9, "Cl": 0.3}, []
    for seed in range(40):
        trajectory = walkers({"K": 8, "Cl": 8}, diffusion, 401, seed)
        row = ionic_conductivity(trajectory, DT_PS, TEMPERATURE_K, start_ps=2.0).iloc[0]
        found.append(row / nernst_einstein_S_cm(trajectory, diffusion))
    low, value, high = (
        np.array([row[f"conductivity{part}_S_cm"] for row in found], dtype=float)
        for part in ("_ci_low", "", "_ci_high")
    )
    assert np.mean((low <= 1) & (1 <= high)) > 0.87
    assert value.max() < 3
    assert np.median(value) == pytest.approx(1, abs=0.3)


def test_diffusion_of_a_liquid_is_covered_by_its_interval():
    """Twenty-four runs of one species; two that miss would be as usual as none."""
    covered = []
    for seed in range(24):
        trajectory = walkers({"K": 20}, {"K": 0.9}, 250, 100 + seed)
        exact = 10 * seen_from_the_centre_of_mass(trajectory, {"K": 0.9})["K"]
        row = self_diffusion(trajectory, DT_PS, start_ps=0.5).iloc[0]
        covered.append(
            row["diffusion_ci_low_1e-9_m2_s"] <= exact <= row["diffusion_ci_high_1e-9_m2_s"]
        )
    assert sum(covered) >= 21


def test_conductivity_takes_the_volume_of_a_tilted_cell():
    trajectory = walkers({"K": 20, "Cl": 20}, {"K": 0.9, "Cl": 0.3}, 500, seed=21)
    tilted = trajectory.cells_A.copy()
    tilted[:, 1, 0], tilted[:, 2, :2] = 4.0, (-3.0, 2.0)
    straight, sheared = (
        ionic_conductivity(t, DT_PS, TEMPERATURE_K, start_ps=0.5)
        for t in (trajectory, replace(trajectory, cells_A=tilted))
    )
    assert sheared.equals(straight)
    tilted[-1, 1, 0] = 4.5
    with pytest.raises(ValueError, match="the cell changes"):
        self_diffusion(replace(trajectory, cells_A=tilted), DT_PS, start_ps=0.5)


SETTINGS = {"timestep_fs": 1000 * DT_PS, "temperature_K": TEMPERATURE_K, "start_ps": 0.5}


def test_a_metal_has_diffusion_and_no_conductivity_and_the_log_says_why(tmp_path, capsys):
    trajectory = walkers({"K": 10}, {"K": 0.9}, 150, seed=22)
    metal = replace(trajectory, charges=np.zeros(10))
    path = tmp_path / "trajectory.lammpstrj"
    write_dump(path, metal)
    tables = RECORD.observe({"trajectory": path, "verdict": {"stable": True}}, {}, SETTINGS, 1)
    assert list(tables) == list(RECORD.tables)
    assert tables["diffusion"]["species"].tolist() == ["K"]
    assert tables["conductivity"].columns.tolist() == ["note"]
    assert tables["conductivity"].empty
    assert "no conductivity: the atoms have no charges" in capsys.readouterr().out


def test_a_run_that_broke_has_tables_without_rows(tmp_path):
    source = {"trajectory": tmp_path / "none", "verdict": {"stable": False}}
    tables = RECORD.observe(source, {}, SETTINGS, 1)
    assert list(tables) == list(RECORD.tables)
    assert all(t.columns.tolist() == ["note"] and t.empty for t in tables.values())


def test_a_run_too_short_for_its_lags_is_told_before_it_runs():
    assert not RECORD.mistakes({"start_ps": 2.0}, {"duration_ps": 20.0}, 15.0)
    (mistake,) = RECORD.mistakes({"start_ps": 2.0}, {"duration_ps": 19.0}, 15.0)
    assert mistake.startswith("duration_ps: 19 ps")
    assert "at least 20 ps" in mistake


def test_experimental_rows_are_those_of_fits_that_hold(kcl):
    """Named by the fit's name, so that a corrected citation changes no job."""
    (row,) = experimental_conductivity(kcl["reference"], 1200.0)
    assert row["conductivity_S_cm"] == pytest.approx(2.51664)
    assert row["source"] == kcl["reference"]["ionic_conductivity"].get("name", "experiment")
    assert experimental_conductivity(kcl["reference"], 5000.0) == []
    assert experimental_conductivity({}, 1200.0) == []
    named = {"self_diffusion": {"K": kcl["reference"]["self_diffusion"]["K"] | {"name": "Janz"}}}
    (row,) = experimental_diffusion(named, 1100.0)
    assert list(row)[:2] == ["source", "species"]
    assert row["source"] == "Janz"
    assert experimental_diffusion({}, 1100.0) == []
