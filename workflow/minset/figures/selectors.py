"""Figures that compare selectors: learning curves, errors, what was picked, structure."""

from itertools import cycle, product

import numpy as np
import pandas as pd
from ase.data import chemical_symbols
from matplotlib.lines import Line2D
from matplotlib.path import Path as MarkerPath
from matplotlib.ticker import NullLocator

from minset.compare.learning import ERRORS, limit_columns
from minset.figures.data import picked_from_pool
from minset.figures.style import (
    REFERENCE,
    engine_label,
    legend_below,
    log_ticks,
    nothing_to_show,
    panels,
    selector_handles,
    selector_styles,
)
from minset.names import is_model, run_row
from minset.pool.store import read_numbers, read_property

# at most so many sizes have a row of panels each; of more, only the largest
MOST_SIZES = 3
LOWEST_G = 1e-3
MOST_BINS = 40
POOL_COLOR = "#CCCCCC"
MODEL_MARKERS = "osD^v"
_MARK = {"ls": "", "color": "k", "ms": 6}
MARKS = [
    Line2D([], [], marker="o", label="all runs stable", **_MARK),
    Line2D([], [], marker="o", fillstyle="right", mfcalt="w", label="half of the runs", **_MARK),
    Line2D([], [], marker="s", mfc="w", label="no run stable", **_MARK),
]


def learning_curve(system: dict, files: dict, tables: list):
    """RMSE and L4 of the forces against the number of training frames, with marks of stability.

    After Finkbeiner, Tovey and Holm, PRL 132, 167301 (2024), Fig. 2.
    """
    curves = pd.read_csv(files["learning_curve"])
    simulation, stable = _stability_marks(files.get("stable_fraction"))
    styles = selector_styles(curves["selector"])
    models = list(dict.fromkeys(curves["model"]))
    columns = ("force_rmse_eV_A", "force_l4_eV_A")
    figure, axes = panels(2, len(models), height_inch=3.4)
    for axis, (model, column) in zip(axes, product(models, columns), strict=True):
        of_model = curves[curves["model"] == model]
        _draw_curves(axis, of_model, column, styles, stable)
        axis.set(xscale="log", yscale="log", xlabel="training frames")
        sizes = sorted(of_model["size"].unique())
        axis.set_xticks(sizes, map(str, sizes))
        axis.xaxis.set_minor_locator(NullLocator())
        log_ticks(axis.yaxis)
        axis.set_ylabel(rf"{ERRORS[column]} of forces / eV $\mathrm{{\AA}}^{{-1}}$")
        if len(models) > 1:
            axis.set_title(model)
    legend_below(figure, selector_handles(styles) + (MARKS if simulation else []))
    fewest, most = curves["seeds"].min(), curves["seeds"].max()
    seeds = f"{most}" if fewest == most else f"{fewest} to {most}"
    note = f"geometric mean and 95 % interval, {seeds} seeds" if most > 1 else "one seed"
    marks = f"\nmarks: share of runs stable in {simulation}" if simulation else ""
    figure.suptitle(f"{system['name']}: force errors, {note}{marks}")
    return figure


def selector_errors(system: dict, files: dict, tables: list):
    """Largest error, RMSE and MAE of the forces by selector; a dot per model and seed.

    After "Efficient data selection methods" (2021), Fig. 2.
    """
    errors, curves = (pd.read_csv(files[name]) for name in ("errors", "learning_curve"))
    sizes = sorted(errors["size"].unique())
    sizes = sizes if len(sizes) <= MOST_SIZES else sizes[-1:]
    styles = selector_styles(errors["selector"])
    markers = dict(zip(dict.fromkeys(errors["model"]), cycle(MODEL_MARKERS), strict=False))
    columns = ("force_max_eV_A", "force_rmse_eV_A", "force_mae_eV_A")
    figure, axes = panels(3, len(sizes), height_inch=3.0)
    for axis, (size, column) in zip(axes, product(sizes, columns), strict=True):
        for curve in curves[curves["size"] == size].itertuples():
            chosen = errors[["selector", "model", "size"]] == [curve.selector, curve.model, size]
            aside = (list(markers).index(curve.model) + 0.5) / len(markers) - 0.5
            x = list(styles).index(curve.selector) + 0.8 * aside
            values = errors.loc[chosen.all(axis=1), column]
            beside = np.linspace(-0.2, 0.2, len(values) + 2)[1:-1] / len(markers)
            look = {"color": styles[curve.selector][0], "alpha": 0.6, "mew": 0, "ms": 3.5}
            axis.plot(x + beside, values, markers[curve.model], **look)
            mean, (low, high) = getattr(curve, column), limit_columns(column)
            axis.plot([x], [mean], "_", ms=9, color="k", mew=0.8)
            axis.vlines(x, getattr(curve, low), getattr(curve, high), color="k", lw=0.8)
        axis.set(yscale="log", xlim=(-0.6, len(styles) - 0.4))
        log_ticks(axis.yaxis)
        axis.set_ylabel(rf"{ERRORS[column]} of forces / eV $\mathrm{{\AA}}^{{-1}}$")
        axis.set_xticks(range(len(styles)), styles, rotation=40, ha="right", fontsize=7)
        axis.set_title(f"{size} frames")
    if len(markers) > 1:
        look = {"ls": "", "color": REFERENCE, "ms": 4}
        legend_below(
            figure, [Line2D([], [], marker=m, label=name, **look) for name, m in markers.items()]
        )
    figure.suptitle(
        f"{system['name']}: force errors; dots: seeds, bars: geometric mean and 95 % interval"
    )
    return figure


def distributions(system: dict, files: dict, tables: list):
    """Energies, atomic energies and forces of what each selector picked, and of the pool.

    After "Efficient data selection methods" (2021), Fig. 1.
    """
    picks = picked_from_pool(files["selection"])
    numbers = read_numbers(files["pool"])
    energies = read_property(files["pool"], "energy_eV") / (numbers > 0).sum(axis=1)
    atomic = read_property(files["pool"], "atomic_energies_eV")
    forces = read_property(files["pool"], "force_size_eV_A")
    kinds, first = np.unique(numbers[numbers > 0], return_index=True)
    kinds = kinds[np.argsort(first)]  # in the order in which they appear
    quantities = {"energy / eV atom$^{-1}$": energies[:, None]}
    quantities |= {
        f"atomic energy of {chemical_symbols[z]} / eV": np.where(numbers == z, atomic, np.nan)
        for z in kinds
    }
    quantities[r"force / eV $\mathrm{\AA}^{-1}$"] = forces
    # files may know no energies, or none of atoms
    quantities = {name: v for name, v in quantities.items() if not np.isnan(v).all()}
    styles = selector_styles(picks["selector"])
    columns = 2 if len(quantities) <= 4 else 3
    figure, axes = panels(columns, max(1, -(-len(quantities) // columns)))
    if not quantities:
        nothing_to_show(axes[0], "the pool knows no energies and no forces")
    for axis, (label, values) in zip(axes, quantities.items(), strict=False):
        _histograms(axis, values, picks, styles)
        axis.set(xlabel=label, ylabel="density")
    for axis in axes[max(1, len(quantities)) :]:
        axis.set_axis_off()
    pool = Line2D([], [], color=POOL_COLOR, lw=5, label=f"pool ({len(energies)} frames)")
    legend_below(figure, [pool, *selector_handles(styles)])
    figure.suptitle(f"{system['name']}: energies and forces of all picks in the pool")
    return figure


def rdf_selectors(system: dict, files: dict, tables: list):
    """RDF of the cations by selector against the reference, and its short range.

    After "Efficient data selection methods" (2021), Fig. 3.
    """
    rdfs = _cation_rdfs(tables)
    styles = selector_styles(pd.read_csv(files["errors"])["selector"])
    groups = list(rdfs.dropna(subset="model").groupby(["simulation", "model"], sort=False))
    figure, axes = panels(2, max(1, len(groups)))
    if not groups:
        nothing_to_show(axes[0], "no simulation with a model left an RDF")
        axes[1].set_axis_off()
        return figure
    handles = []
    for k, ((simulation, model), runs) in enumerate(groups):
        wide, near = axes[2 * k : 2 * k + 2]
        runs = runs[runs["size"] == runs["size"].max()]
        classical = rdfs[(rdfs["simulation"] == simulation) & rdfs["model"].isna()]
        for engine, rdf in classical.groupby("engine", sort=False):
            for axis in (wide, near):
                label = engine_label(engine)
                handles += axis.plot(rdf["r_A"], rdf["g"], color=REFERENCE, lw=2, label=label)
        for selector, of_selector in runs.groupby("selector", sort=False):
            for axis in (wide, near):
                _draw_rdfs(axis, of_selector, *styles[selector])
        name = f"g(r), {runs['pair'].iloc[0]}"
        wide.set(xlabel=r"r / $\mathrm{\AA}$", ylabel=name)
        wide.set_title(f"{simulation}, {model}, {runs['size'].iloc[0]:.0f} frames")
        # up to where the first peak rises
        shown = classical if len(classical) else runs
        end = shown.loc[shown["g"] > 0.5, "r_A"].min()
        near.set(yscale="log", ylim=(LOWEST_G, None), xlim=(0, end), title="short range")
        near.set(xlabel=r"r / $\mathrm{\AA}$", ylabel=name)
    handles = list({handle.get_label(): handle for handle in handles}.values())
    broken = [Line2D([], [], color="k", lw=0.7, ls=":", label="run that broke, up to the break")]
    handles += selector_handles(styles) + ([] if rdfs["stable"].all() else broken)
    legend_below(figure, handles)
    figure.suptitle(
        f"{system['name']}: RDF of the cations; lines: means of stable runs, band: range"
    )
    return figure


def _stability_marks(path: str | None) -> tuple[str, dict]:
    """The simulation with most runs, and its stable fraction by model, selector and size."""
    if path is None:
        return "", {}
    fractions = pd.read_csv(path)
    simulation = fractions.groupby("simulation", sort=False)["runs"].sum().idxmax()
    chosen = fractions[fractions["simulation"] == simulation]
    return simulation, chosen.set_index(["model", "selector", "size"])["stable_fraction"].to_dict()


def _draw_curves(axis, curves: pd.DataFrame, column: str, styles: dict, stable: dict) -> None:
    """Learning curves of one model and error, with marks of the stable fraction."""
    for k, (selector, curve) in enumerate(curves.groupby("selector", sort=False)):
        # side by side around each size, so that error bars do not hide each other
        x = curve["size"] * 2 ** (0.3 * ((k + 0.5) / curves["selector"].nunique() - 0.5))
        color, line = styles[selector]
        error = _error_bars(curve, column)
        axis.errorbar(x, curve[column], error, ls=line, color=color, lw=1, capsize=1.5)
        keys = zip(curve["model"], curve["selector"], curve["size"], strict=True)
        for left, value, key in zip(x, curve[column], keys, strict=True):
            _mark(axis, left, value, stable.get(key), color)


def _mark(axis, x: float, y: float, stable: float | None, color: str) -> None:
    """A point with its stable fraction: square for none, else a circle filled in proportion."""
    if stable is None:
        axis.plot(x, y, "o", ms=3, color=color)
        return
    axis.plot(x, y, "s" if stable == 0 else "o", ms=5, mec=color, mfc="w", mew=0.8, zorder=3)
    if stable > 0:
        wedge = MarkerPath.wedge(90 - 360 * stable, 90) if stable < 1 else "o"
        axis.plot(x, y, marker=wedge, ms=5, color=color, mew=0, zorder=4)


def _error_bars(curve: pd.DataFrame, column: str) -> np.ndarray | None:
    """Distances to the limits, shape (2, n); None where one seed has none."""
    low, high = (curve[name].to_numpy() for name in limit_columns(column))
    mean = curve[column].to_numpy()
    return None if np.isnan(low).all() else np.array([mean - low, high - mean])


def _histograms(axis, values: np.ndarray, picks: pd.DataFrame, styles: dict) -> None:
    """Densities of per-frame values (T, n): of all frames filled, of the picks as lines."""
    finite = values[np.isfinite(values)]
    picked_of = {s: values[picks.loc[picks["selector"] == s, "frame"]].ravel() for s in styles}
    fewest = min(len(picked) for picked in picked_of.values())
    edges = np.linspace(finite.min(), finite.max(), int(np.clip(np.sqrt(fewest), 10, MOST_BINS)))
    centres = (edges[1:] + edges[:-1]) / 2
    axis.hist(finite, edges, density=True, color=POOL_COLOR)
    for selector, (color, line) in styles.items():
        picked = picked_of[selector]
        density, _ = np.histogram(picked[np.isfinite(picked)], edges, density=True)
        # a logarithm has no zero: the line is broken where nothing was picked
        density = np.where(density > 0, density, np.nan)
        axis.plot(centres, density, marker="o", ms=1.5, color=color, ls=line, lw=1)
    axis.set_yscale("log")


def _cation_rdfs(tables: list) -> pd.DataFrame:
    """RDFs of the first pair, the cations, of all runs with the columns that identify these."""
    parts = [pd.DataFrame(columns=["simulation", "model", "stable"])]
    for path, row in tables:
        rdf = pd.read_csv(path)
        if len(rdf):
            about = row | (run_row(row["engine"]) if is_model(row["engine"]) else {"model": None})
            parts.append(rdf[rdf["pair"] == rdf["pair"].iloc[0]].assign(**about))
    return pd.concat(parts[1:] or parts, ignore_index=True)


def _draw_rdfs(axis, runs: pd.DataFrame, color: str, line: str | tuple) -> None:
    """Mean and range of a selector's stable runs, and each broken run as a thin dotted line."""
    stable = runs[runs["stable"].astype(bool)].pivot(index="r_A", columns="engine", values="g")
    if len(stable):
        r = stable.index.to_numpy()
        axis.plot(r, stable.mean(axis=1), color=color, ls=line, lw=1)
        low, high = stable.min(axis=1), stable.max(axis=1)
        axis.fill_between(r, low, high, color=color, alpha=0.15, lw=0)
    for _, rdf in runs[~runs["stable"].astype(bool)].groupby("engine"):
        axis.plot(rdf["r_A"], rdf["g"], color=color, ls=":", lw=0.7)
