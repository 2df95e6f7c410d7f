"""Statistics that compare selectors, against published numbers and curves with known answers."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from minset.compare.learning import (
    against_random,
    frames_at,
    frames_needed,
    geometric_mean,
    learning_curve,
    mean_survival,
    stable_fraction,
    wilson_interval,
)
from minset.names import is_model, run_row, shown_engines

COLUMNS = ("force_rmse_eV_A", "force_mae_eV_A", "force_l4_eV_A", "force_max_eV_A")


def errors_of(error, selectors=("random", "rnd"), sizes=(16, 32, 64), seeds=(1, 2, 3)):
    """Table of errors by a formula of selector, size and seed."""
    return pd.DataFrame(
        [
            {"selector": a, "size": n, "seed": k, "model": "small"}
            | dict.fromkeys(COLUMNS, error(a, n, k))
            for a in selectors
            for n in sizes
            for k in seeds
        ]
    )


def stability_of(reached: dict[str, list[float]], duration=100.0) -> pd.DataFrame:
    """Table of runs by selector; a run that reaches the duration is stable."""
    return pd.DataFrame(
        [
            {
                "simulation": "nvt",
                "engine": f"{selector}-n16-s{seed}-small",
                "stable": time == duration,
                "phase": "production",
                "reached_ps": time,
            }
            for selector, times in reached.items()
            for seed, time in enumerate(times, 1)
        ]
    )


def test_geometric_mean_has_the_t_interval_of_the_logarithms():
    """Three values a factor e apart: mean e^2, s = 1, t(0.975, 2) = 4.302653 from tables."""
    mean, low, high = geometric_mean([math.e, math.e**2, math.e**3])
    assert mean == pytest.approx(math.e**2)
    assert math.log(high / mean) == pytest.approx(4.302653 / math.sqrt(3), rel=1e-6)
    assert math.log(mean / low) == pytest.approx(4.302653 / math.sqrt(3), rel=1e-6)


def test_geometric_mean_holds_the_true_value_in_95_of_100_cases():
    rng = np.random.default_rng(3)
    limits = [geometric_mean(np.exp(rng.normal(0.5, 0.3, 4)))[1:] for _ in range(2000)]
    inside = np.mean([low < math.exp(0.5) < high for low, high in limits])
    assert inside == pytest.approx(0.95, abs=0.02)


def test_one_seed_has_a_mean_and_no_interval():
    mean, low, high = geometric_mean([0.2])
    assert mean == pytest.approx(0.2)
    assert math.isnan(low)
    assert math.isnan(high)


@pytest.mark.parametrize("values", [[], [0.1, 0.0], [0.1, math.nan], [math.inf]])
def test_an_error_that_cannot_be_is_refused(values):
    with pytest.raises(ValueError, match="needs positive, finite values"):
        geometric_mean(values)


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    [
        # Newcombe, Statistics in Medicine 17, 857 (1998), Table I, method 3
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_interval_is_the_published_one(successes, n, low, high):
    assert wilson_interval(successes, n) == pytest.approx((low, high), abs=5e-5)
    mirrored = wilson_interval(n - successes, n)
    assert mirrored == pytest.approx((1 - high, 1 - low), abs=5e-5)


def test_mean_survival_counts_survivors_with_the_duration():
    mean, low, high = mean_survival([20.0, 40.0, 100.0, 100.0])
    assert mean == 65.0
    assert 20 < low < 65 < high <= 100
    # the bootstrap of many values is the normal interval of their mean
    times = np.random.default_rng(2).uniform(0, 100, 400)
    mean, low, high = mean_survival(times)
    half = 1.96 * times.std() / 20
    assert (mean - low, high - mean) == pytest.approx((half, half), rel=0.05)


def test_runs_that_all_survive_have_no_interval():
    mean, low, high = mean_survival([100.0, 100.0, 100.0])
    assert mean == 100.0
    assert math.isnan(low)
    assert math.isnan(high)


def test_learning_curve_has_a_row_per_model_selector_and_size():
    errors = errors_of(lambda a, n, k: n**-0.5 * math.exp(k - 2))
    curve = learning_curve(errors.sample(frac=1, random_state=1))
    assert len(curve) == 6
    assert set(curve["seeds"]) == {3}
    for _, of_selector in curve.groupby("selector"):
        assert of_selector["size"].tolist() == [16, 32, 64]
        for column in COLUMNS:
            assert of_selector[column].to_numpy() == pytest.approx(of_selector["size"] ** -0.5)
    expected = 16**-0.5 * math.exp(4.302653 / math.sqrt(3))
    assert curve["force_l4_high_eV_A"].max() == pytest.approx(expected, rel=1e-6)


def test_a_run_that_broke_in_equilibration_survived_nothing():
    table = stability_of({"rnd": [3.0, 100.0]})
    table.loc[0, "phase"] = "equilibration"
    table.loc[2] = {"simulation": "nvt", "engine": "bmhtf", "stable": True, "phase": "production"}
    row = stable_fraction(table).squeeze()
    assert (row["selector"], row["size"], row["model"]) == ("rnd", 16, "small")
    assert (row["runs"], row["stable"], row["stable_fraction"]) == (2, 1, 0.5)
    assert row["mean_survival_ps"] == 50.0


def test_ratio_to_random_is_paired_by_seed():
    """Seeds differ by a factor of ten, but the ratio within a seed is known to 1 %."""
    noise = {1: 0.99, 2: 1.0, 3: 1.01}
    table = against_random(
        errors_of(lambda a, n, k: 10.0**k * (0.8 * noise[k] if a == "rnd" else 1.0)), None, "random"
    )
    assert set(table["selector"]) == {"rnd"}
    assert len(table) == 3 * 4
    logs = np.log([0.8 * v for v in noise.values()])
    test = stats.ttest_1samp(logs, 0)
    low, high = np.exp(test.confidence_interval(0.95))
    for row in table.itertuples():
        assert row.pairs == 3
        assert row.ratio == pytest.approx(math.exp(logs.mean()))
        assert (row.ratio_low, row.ratio_high) == pytest.approx((low, high))
        assert row.p_value == pytest.approx(test.pvalue)
        assert row.p_value < 0.01


def test_stable_fractions_are_compared_by_fishers_exact_test():
    """Fisher's tea: 3 of 4 against 1 of 4 has a two-sided p of 34/70."""
    stability = stability_of({"random": [100, 9, 9, 9], "rnd": [100, 100, 100, 9]})
    errors = errors_of(lambda a, n, k: 1.0, sizes=(16,), seeds=(1, 2, 3, 4))
    table = against_random(errors, stability, "random").set_index("quantity")
    row = table.loc["stable in nvt"]
    assert row["pairs"] == 4
    assert row["ratio"] == 3.0
    assert row["p_value"] == pytest.approx(34 / 70)
    # equal errors: a ratio of one that no test can tell anything about
    assert table.loc["force_rmse", "ratio"] == 1.0
    assert math.isnan(table.loc["force_rmse", "p_value"])


def committee_errors(error, members=3) -> pd.DataFrame:
    """Errors of committees whose members are a factor 2 apart around the formula's."""
    tables = [
        errors_of(lambda a, n, k, m=m: error(a, n, k) * 2.0 ** (m - 2)).assign(member=m)
        for m in range(1, members + 1)
    ]
    return pd.concat(tables, ignore_index=True)


def test_members_of_a_committee_count_once_in_an_interval_over_seeds():
    """Geometric means of 1/2, 1 and 2 times an error are the error; n is the number of seeds."""

    def error(selector, size, seed):
        return size**-0.5 * (0.8 * 1.1 ** (seed - 2) if selector == "rnd" else 1.0)

    single, several = (learning_curve(e) for e in (errors_of(error), committee_errors(error)))
    assert several["seeds"].tolist() == [3] * 6
    pd.testing.assert_frame_equal(several, single)
    ratios = against_random(committee_errors(error), None, "random")
    assert set(ratios["pairs"]) == {3}
    np.testing.assert_allclose(ratios["ratio"], 0.8)


def test_each_member_of_a_committee_counts_as_a_run():
    runs = stability_of({"rnd": [100.0, 40.0]})
    second = runs.assign(engine=runs["engine"] + "-m2")
    row = stable_fraction(pd.concat([runs, second], ignore_index=True)).squeeze()
    assert (row["runs"], row["stable"]) == (4, 2)
    assert row["model"] == "small"


@pytest.mark.parametrize("target", [0.11, 0.2, 0.13])
def test_frames_at_is_exact_on_a_power_law(target):
    sizes = np.array([16, 32, 64, 128])
    assert frames_at(sizes, sizes**-0.4, target) == pytest.approx(
        target ** (-1 / 0.4) if target > 128**-0.4 else math.inf
    )


def test_frames_at_extrapolates_nothing_and_takes_the_first_crossing():
    sizes = [16, 32, 64, 128]
    assert frames_at(sizes, [0.4, 0.3, 0.2, 0.1], 0.5) == -math.inf
    assert frames_at(sizes, [0.4, 0.3, 0.2, 0.1], 0.4) == 16
    assert frames_at(sizes, [0.4, 0.3, 0.2, 0.1], 0.05) == math.inf
    assert frames_at(sizes, [0.4, 0.2, 0.3, 0.1], 0.2) == pytest.approx(32)
    assert math.isnan(frames_at(sizes, [0.4, math.nan, 0.3, 0.1], 0.2))


def test_frames_needed_is_a_quarter_where_the_error_halves_at_every_size():
    """Errors n^-1/2: half of random's error is that of random with four times as many frames."""
    curves = learning_curve(
        errors_of(
            lambda a, n, k: n**-0.5 * (0.5 if a == "rnd" else 1.0), sizes=(16, 32, 64, 128, 256)
        )
    )
    table = frames_needed(curves, "random")
    rmse = table[table["error"] == "RMSE"].set_index("random_frames")
    assert rmse["random"].str.split().str[0].tolist() == ["16", "32", "64", "128", "256"]
    assert rmse.loc[256, "rnd"] == "64 (64 to 64)"
    assert rmse.loc[16, "rnd"].startswith("fewer than 16")
    assert set(table["error"]) == {"RMSE", "L4"}


def test_frames_needed_says_when_a_selector_does_not_get_there():
    """Twice random's error at every size: 4 x 16 frames for its largest error, never the others."""
    curves = learning_curve(
        errors_of(lambda a, n, k: n**-0.5 * (2 if a == "rnd" else 1), seeds=(1,))
    )
    table = frames_needed(curves, "random")
    needed = table[table["error"] == "L4"].set_index("random_frames")["rnd"]
    assert needed.to_dict() == {16: "64", 32: "not reached", 64: "not reached"}


def test_names_of_runs_are_read_back():
    run = "single_run_random-n128-s12-gap_2"
    assert run_row(run) == {
        "selector": "single_run_random",
        "size": 128,
        "seed": 12,
        "model": "gap_2",
        "member": 1,
    }
    assert run_row(f"{run}-m12") == run_row(run) | {"member": 12}
    assert is_model(run)
    assert is_model(f"{run}-m2")
    # the first member has no number, so that no model has two names
    assert not is_model(f"{run}-m1")
    assert not is_model(f"{run}-m02")
    assert not is_model("bmhtf-published-sign")
    assert not is_model("experiment")


def test_figures_show_few_models_and_all_references():
    models = [
        f"{a}-n{n}-s{k}-{m}"
        for a in ("random", "rnd", "fps")
        for n in (16, 32)
        for k in (1, 2)
        for m in ("small", "gap")
    ]
    assert shown_engines(["bmhtf", *models[:9]]) == ["bmhtf", *models[:9]]
    shown = shown_engines(["bmhtf", *models, "experiment"])
    expected = [e for e in models if "-n32-s1-" in e]
    assert shown == ["bmhtf", *expected, "experiment"]
    committees = [e + m for e in models[:6] for m in ("", "-m2", "-m3")]
    assert shown_engines(committees) == models[:6]
    by_seed = shown_engines([e for e in models if "-n16-" in e])
    assert len(by_seed) == 6
    assert all("-s1-" in engine for engine in by_seed)
