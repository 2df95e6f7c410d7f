"""Statistics that compare selectors: learning curves, stability, ratios to random selection.

All intervals are 95 %. They cover what differs between seeds: the selection, the start of the network
and the order of its training frames. The test set is common to all models, so its choice is not covered.
Members of a committee share a selection: the errors of those of one seed count as one, their geometric
mean, while each of their simulations counts as a run.
P-values are of single comparisons, without a correction for their number.
"""

import math

import numpy as np
import pandas as pd
from scipy import stats

from minset.names import is_model, run_row

CONFIDENCE = 0.95
RESAMPLES = 10_000
ERRORS = {
    "force_rmse_eV_A": "RMSE",
    "force_mae_eV_A": "MAE",
    "force_l4_eV_A": "L4",
    "force_max_eV_A": "largest error",
}


def geometric_mean(values) -> tuple[float, float, float]:
    """Geometric mean of positive values and its 95 % interval.

    Errors of models are positive and compared as ratios, so the mean and the t interval are those
    of the logarithms.

    Parameters
    ----------
    values
        Array (n,); one value has no interval.

    Returns
    -------
    tuple[float, float, float]
        Mean, lower and upper limit; the limits are NaN for n = 1.

    Raises
    ------
    ValueError
        If there is no value, or one is not positive or not finite.
    """
    values = np.asarray(values, dtype=float)
    if not len(values) or not np.all(np.isfinite(values) & (values > 0)):
        raise ValueError(
            f"geometric mean of {values.tolist()}: needs positive, finite values; "
            "look for a model that failed"
        )
    mean, half = _mean_and_half_interval(np.log(values))
    return math.exp(mean), math.exp(mean - half), math.exp(mean + half)


def wilson_interval(successes: int, n: int) -> tuple[float, float]:
    """95 % interval of a fraction, right also for few runs and for none or all of them.

    Wilson, J. Am. Stat. Assoc. 22, 209 (1927).

    Raises
    ------
    ValueError
        If n is not positive or smaller than the number of successes.
    """
    if not 0 <= successes <= n or n < 1:
        raise ValueError(f"{successes} successes of {n} are no fraction")
    interval = stats.binomtest(int(successes), int(n)).proportion_ci(CONFIDENCE, method="wilson")
    return float(interval.low), float(interval.high)


def mean_survival(times_ps) -> tuple[float, float, float]:
    """Restricted mean survival time in ps and its 95 % bootstrap interval.

    The mean of min(time of the break, duration of the simulation). Every run goes on to its break or
    to the same duration, so this plain mean needs no model for the runs that survive; it is a lower
    bound of the mean time to failure. The interval is the percentile bootstrap over runs, too narrow
    for fewer than about ten; it is NaN where all times are equal, which says nothing about it.

    Parameters
    ----------
    times_ps
        Time that each run survived, shape (n,).
    """
    times = np.asarray(times_ps, dtype=float)
    if np.ptp(times) == 0:
        return float(times.mean()), math.nan, math.nan
    drawn = np.random.default_rng(1).integers(len(times), size=(RESAMPLES, len(times)))
    tails = [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2]
    low, high = np.quantile(times[drawn].mean(axis=1), tails)
    return float(times.mean()), float(low), float(high)


def survived_ps(stability: pd.DataFrame) -> np.ndarray:
    """Time that each run survived, in ps; 0 for one that broke while it equilibrated."""
    return np.where(stability["phase"] == "production", stability["reached_ps"], 0.0)


def learning_curve(errors: pd.DataFrame) -> pd.DataFrame:
    """Force errors against the number of training frames, over seeds.

    Parameters
    ----------
    errors
        Table of all models: ``selector``, ``size``, ``seed``, ``model`` and force errors in eV/A;
        several rows of one seed are members of a committee.

    Returns
    -------
    pd.DataFrame
        Per model, selector and size: ``seeds``, and of each error the `geometric_mean` over seeds
        with its limits, e.g. ``force_rmse_eV_A``, ``force_rmse_low_eV_A``, ``force_rmse_high_eV_A``.
    """
    rows = []
    for key, group in _by_dataset(_by_seed(errors)):
        row = key | {"seeds": group["seed"].nunique()}
        for column in ERRORS:
            names = (column, *limit_columns(column))
            row |= dict(zip(names, geometric_mean(group[column]), strict=True))
        rows.append(row)
    return pd.DataFrame(rows)


def limit_columns(column: str) -> tuple[str, str]:
    """Names of a column's limits: ``force_rmse_low_eV_A`` of ``force_rmse_eV_A``."""
    name, unit = column.removesuffix("_eV_A"), "_eV_A"
    return f"{name}_low{unit}", f"{name}_high{unit}"


def stable_fraction(stability: pd.DataFrame) -> pd.DataFrame:
    """How many runs of each simulation were stable, and how long they survived.

    Parameters
    ----------
    stability
        Table of all simulations: ``simulation``, ``engine``, ``stable``, ``reached_ps`` and
        ``phase``, see `survived_ps`.

    Returns
    -------
    pd.DataFrame
        Per simulation, model, selector and size: ``runs``, ``stable``, ``stable_fraction`` with the
        limits of `wilson_interval`, and `mean_survival` with its limits in ps. No rows for classical
        potentials.
    """
    rows = []
    for simulation, runs in _model_runs(stability).groupby("simulation", sort=False):
        for key, group in _by_dataset(runs):
            stable, n = int(group["stable"].sum()), len(group)
            low, high = wilson_interval(stable, n)
            survival, shortest, longest = mean_survival(survived_ps(group))
            rows.append(
                {"simulation": simulation}
                | key
                | {
                    "runs": n,
                    "stable": stable,
                    "stable_fraction": stable / n,
                    "stable_fraction_low": low,
                    "stable_fraction_high": high,
                    "mean_survival_ps": survival,
                    "mean_survival_low_ps": shortest,
                    "mean_survival_high_ps": longest,
                }
            )
    return pd.DataFrame(rows)


def against_random(
    errors: pd.DataFrame, stability: pd.DataFrame | None, baseline: str
) -> pd.DataFrame:
    """Errors and stability of each selector relative to random selection of as many frames.

    Parameters
    ----------
    errors, stability
        As for `learning_curve` and `stable_fraction`; None without simulations.
    baseline
        Name of the study's random selector.

    Returns
    -------
    pd.DataFrame
        Per model, selector, size and ``quantity``: ``pairs``, ``ratio``, ``ratio_low``,
        ``ratio_high``, ``p_value``. For an error the ratio is the geometric mean over seeds of the
        error divided by random's with the same seed, with the t interval of the logarithm and the
        p-value of the paired t test (no limits and no p-value for one pair). For ``stable in
        <simulation>`` it is the ratio of the stable fractions (empty where none of random's is
        stable) with the p-value of Fisher's exact test; ``pairs`` is the smaller number of runs.
    """
    rows, errors = [], _by_seed(errors)
    baseline_of = {
        (key["model"], key["size"]): group.set_index("seed")
        for key, group in _by_dataset(errors)
        if key["selector"] == baseline
    }
    for key, group in _by_dataset(errors):
        reference = baseline_of.get((key["model"], key["size"]))
        if key["selector"] == baseline or reference is None:
            continue
        paired = group.set_index("seed").join(reference, rsuffix="_random", how="inner")
        for column in ERRORS:
            if len(paired):
                ratios = paired[column] / paired[f"{column}_random"]
                rows.append(key | {"quantity": column.removesuffix("_eV_A")} | _ratio(ratios))
    if stability is not None:
        rows += _stability_against(stable_fraction(stability), baseline)
    return pd.DataFrame(rows)


def frames_at(sizes, errors, target: float) -> float:
    """Number of training frames at which a learning curve first comes down to an error.

    Straight lines join the points of the curve in the logarithms of both. Nothing is extrapolated.

    Parameters
    ----------
    sizes, errors
        Points of the curve, sizes ascending; shapes (n,).
    target
        Error in the unit of ``errors``.

    Returns
    -------
    float
        -inf if the curve begins below the target, inf if it never reaches it, NaN for a curve that
        is not known at all sizes.
    """
    sizes, errors = np.asarray(sizes, dtype=float), np.asarray(errors, dtype=float)
    if np.any(np.isnan(errors)):
        return math.nan
    reached = errors <= target
    if not reached.any():
        return math.inf
    k = int(np.argmax(reached))
    if k == 0:
        return float(sizes[0]) if errors[0] == target else -math.inf
    share = math.log(errors[k - 1] / target) / math.log(errors[k - 1] / errors[k])
    return float(sizes[k - 1] * (sizes[k] / sizes[k - 1]) ** share)


def frames_needed(curves: pd.DataFrame, baseline: str) -> pd.DataFrame:
    """How many frames each selector needs for the errors that random selection reaches.

    Parameters
    ----------
    curves
        Table of `learning_curve`.
    baseline
        Name of the study's random selector; its mean errors at each of its sizes are the targets.

    Returns
    -------
    pd.DataFrame
        Per model, error (RMSE, L4) and target: ``random_frames``, ``target_eV_A`` and one column per
        selector with the whole number of frames of `frames_at` in words. In parentheses the same for
        the lower and the upper limit of the curve, where there are several seeds.
    """
    rows = []
    for model, of_model in curves.groupby("model", sort=False):
        random = of_model[of_model["selector"] == baseline]
        for column in ("force_rmse_eV_A", "force_l4_eV_A"):
            for size, target in zip(random["size"], random[column], strict=True):
                row = {"model": model, "error": ERRORS[column]}
                row |= {"random_frames": size, "target_eV_A": target}
                for selector, curve in of_model.groupby("selector", sort=False):
                    row[selector] = _needed_in_words(curve, column, target)
                rows.append(row)
    return pd.DataFrame(rows)


def _mean_and_half_interval(values: np.ndarray) -> tuple[float, float]:
    """Mean and half the width of its t interval; NaN for one value."""
    n = len(values)
    if n == 1:
        return float(values[0]), math.nan
    t = stats.t.ppf((1 + CONFIDENCE) / 2, n - 1)
    return float(values.mean()), float(t * values.std(ddof=1) / math.sqrt(n))


def _by_seed(errors: pd.DataFrame) -> pd.DataFrame:
    """One row per model, selector, size and seed: geometric means over the members of committees."""
    keys = ["model", "selector", "size", "seed"]
    if not errors.duplicated(keys).any():
        return errors
    rows = []
    for key, members in errors.groupby(keys, sort=False):
        means = {column: geometric_mean(members[column])[0] for column in ERRORS}
        rows.append(dict(zip(keys, key, strict=True)) | means)
    return pd.DataFrame(rows)


def _by_dataset(table: pd.DataFrame) -> list[tuple[dict, pd.DataFrame]]:
    """Groups of a table by model, selector (both in its order) and size (ascending)."""
    groups = dict(list(table.groupby(["model", "selector", "size"], sort=False)))
    models, selectors = (list(dict.fromkeys(table[c])) for c in ("model", "selector"))
    order = sorted(groups, key=lambda g: (models.index(g[0]), selectors.index(g[1]), g[2]))
    return [(dict(zip(("model", "selector", "size"), g, strict=True)), groups[g]) for g in order]


def _model_runs(stability: pd.DataFrame) -> pd.DataFrame:
    """Rows of models, with the columns that identify them."""
    rows = stability[[is_model(engine) for engine in stability["engine"]]]
    columns = ("selector", "size", "seed", "model")
    identity = pd.DataFrame(map(run_row, rows["engine"]), index=rows.index, columns=columns)
    return rows.join(identity)


def _ratio(ratios: pd.Series) -> dict:
    """Geometric mean, limits and p-value of paired ratios."""
    mean, low, high = geometric_mean(ratios)
    logs = np.log(ratios)
    p = float(stats.ttest_1samp(logs, 0).pvalue) if len(logs) > 1 and np.ptp(logs) else math.nan
    return {
        "pairs": len(ratios),
        "ratio": mean,
        "ratio_low": low,
        "ratio_high": high,
        "p_value": p,
    }


def _stability_against(fractions: pd.DataFrame, baseline: str) -> list[dict]:
    """Rows of `against_random` about stability."""
    rows, keys = [], ["simulation", "model", "size"]
    if fractions.empty:
        return rows
    random = fractions[fractions["selector"] == baseline].set_index(keys)
    for row in fractions[fractions["selector"] != baseline].itertuples():
        if (row.simulation, row.model, row.size) not in random.index:
            continue
        other = random.loc[(row.simulation, row.model, row.size)]
        counts = [[row.stable, row.runs - row.stable], [other.stable, other.runs - other.stable]]
        ratio = row.stable_fraction / other.stable_fraction if other.stable else math.nan
        rows.append(
            {
                "model": row.model,
                "selector": row.selector,
                "size": row.size,
                "quantity": f"stable in {row.simulation}",
                "pairs": min(row.runs, int(other.runs)),
                "ratio": ratio,
                "ratio_low": math.nan,
                "ratio_high": math.nan,
                "p_value": float(stats.fisher_exact(counts).pvalue),
            }
        )
    return rows


def _needed_in_words(curve: pd.DataFrame, column: str, target: float) -> str:
    """One cell of `frames_needed`."""
    mean, low, high = (
        _in_words(frames_at(curve["size"], curve[c], target), curve["size"].min())
        for c in (column, *limit_columns(column))
    )
    return f"{mean} ({low} to {high})" if low and high else mean


def _in_words(frames: float, smallest: int) -> str:
    if math.isnan(frames):
        return ""
    if math.isinf(frames):
        return "not reached" if frames > 0 else f"fewer than {smallest}"
    return str(math.ceil(frames - 1e-9))
