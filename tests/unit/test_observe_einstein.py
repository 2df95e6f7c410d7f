"""Slopes of mean squared displacements of motion whose end is known: cages, boxes, free walkers."""

import numpy as np
import pytest

from minset.observe.einstein import (
    NO_DIFFUSION,
    checked_slope,
    covariance_holds,
    random_walk_slope,
)

FRAME_PS = 0.05
LAGS = np.unique(np.geomspace(40, 160, 30).round().astype(int))  # 2 to 8 ps
TIMES = LAGS * FRAME_PS


def caged(frames: int, walkers: int, amplitude: float, relaxation_ps: float, rng) -> np.ndarray:
    """Ornstein-Uhlenbeck process, exact at any time step: MSD = 6 a^2 (1 - exp(-t / tau))."""
    kept = np.exp(-FRAME_PS / relaxation_ps)
    kicks = amplitude * np.sqrt(1 - kept**2) * rng.normal(size=(frames, walkers, 3))
    positions = np.empty_like(kicks)
    positions[0] = amplitude * rng.normal(size=(walkers, 3))
    for t in range(1, frames):
        positions[t] = kept * positions[t - 1] + kicks[t]
    return positions


def free(frames: int, walkers: int, diffusion_A2_ps: float, rng) -> np.ndarray:
    width = np.sqrt(2 * diffusion_A2_ps * FRAME_PS)
    return np.cumsum(width * rng.normal(size=(frames, walkers, 3)), axis=0)


def in_a_box(positions: np.ndarray, edge_A: float) -> np.ndarray:
    """The walk folded at the walls of a box."""
    return edge_A - np.abs(positions % (2 * edge_A) - edge_A)


def msd_of(positions: np.ndarray) -> np.ndarray:
    return np.array([np.mean(np.sum((positions[k:] - positions[:-k]) ** 2, axis=2)) for k in LAGS])


def test_kinisis_covariance_holds_for_a_free_walk_and_not_for_a_cage():
    """Free: variance 2/3 (6 D t)^2 t; caged: a constant times t."""
    independent = 1 / TIMES
    assert covariance_holds(TIMES**3, independent)
    assert not covariance_holds(TIMES, independent)
    one_step_back = TIMES**3
    one_step_back[10] = one_step_back[9]
    assert not covariance_holds(one_step_back, independent)


@pytest.mark.parametrize(
    ("amplitude", "relaxation_ps", "walkers"),
    [(0.3, 0.05, 20), (0.3, 0.5, 20), (0.5, 0.2, 1), (0.7, 0.7, 40)],
)
def test_ions_in_cages_do_not_diffuse(amplitude, relaxation_ps, walkers):
    rng = np.random.default_rng(31)
    for _ in range(20):
        positions = caged(1600, walkers, amplitude, relaxation_ps, rng)
        slope = checked_slope(positions, LAGS, FRAME_PS)
        assert slope.note == NO_DIFFUSION
        assert slope.value == slope.low == 0
        # a free walker that comes as far within the longest lag has a slope of 6 a^2 / 8 ps
        assert slope.stderr < slope.high < 6 * amplitude**2 / 8


@pytest.mark.parametrize(("edge_A", "longest_relaxation_ps"), [(2.0, 0.4), (3.0, 0.9), (6.0, 3.6)])
def test_walkers_in_a_box_have_0_within_their_interval(edge_A, longest_relaxation_ps):
    """Reflected walk with D = 1 A^2/ps; relaxation L^2 / (pi^2 D), the last within the fitted lags."""
    assert longest_relaxation_ps == pytest.approx(edge_A**2 / np.pi**2, abs=0.06)
    rng = np.random.default_rng(32)
    for _ in range(10):
        positions = in_a_box(free(1600, 40, 1.0, rng), edge_A)
        slope = checked_slope(positions, LAGS, FRAME_PS)
        assert slope.low == 0
        assert slope.note
        assert slope.high < 6 / 5
        if longest_relaxation_ps < 1:
            assert slope.note == NO_DIFFUSION


def test_the_error_of_a_free_walk_covers_its_diffusion():
    """One walker for 40 ps, 20 times the first lag: of 100 intervals about 95 hold the truth."""
    rng = np.random.default_rng(33)
    found = []
    for _ in range(300):
        positions = free(801, 1, 0.8, rng)
        found.append(random_walk_slope(msd_of(positions), TIMES, 1, 40.0))
    values = np.array([slope.value for slope in found])
    covered = np.mean([slope.low <= 6 * 0.8 <= slope.high for slope in found])
    assert 0.93 < covered <= 0.995
    assert values.mean() == pytest.approx(6 * 0.8, abs=3 * values.std() / np.sqrt(300))


def test_the_slope_is_unbiased_where_walkers_rattle():
    """A cage that walks itself: the line has an offset, and the error is too large rather than small."""
    rng = np.random.default_rng(34)
    found = [
        checked_slope(caged(1600, 20, 0.3, 0.1, rng) + free(1600, 20, 0.05, rng), LAGS, FRAME_PS)
        for _ in range(20)
    ]
    values = np.array([slope.value for slope in found])
    assert values.mean() == pytest.approx(0.3, abs=3 * values.std() / np.sqrt(20))
    assert all(slope.low < 0.3 < slope.high for slope in found)
    assert np.median([slope.low for slope in found]) > 0.15


def test_a_single_free_walker_is_hardly_ever_held_for_a_caged_one():
    rng = np.random.default_rng(35)
    notes = [checked_slope(free(1600, 1, 0.8, rng), LAGS, FRAME_PS).note for _ in range(200)]
    assert np.mean([note == "" for note in notes]) > 0.98
