"""Diffusion and conductivity of random walkers, where Einstein and Nernst-Einstein are exact."""

from dataclasses import replace

import numpy as np
import pytest
from ase import units
from ase.data import atomic_masses, atomic_numbers

from minset.md.trajectory import Trajectory
from minset.observe.transport import (
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
    return Trajectory(
        species=species,
        charges=np.array([CHARGES[symbol] for symbol in species]),
        positions_A=positions % EDGE_A,
        unwrapped_A=positions,
        cells_A=np.tile(EDGE_A * np.eye(3), (n_frames, 1, 1)),
        steps=np.arange(n_frames) * EVERY,
    )


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
