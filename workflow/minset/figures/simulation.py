"""Figures of the simulations and what was computed from them."""

from itertools import product

import numpy as np
import pandas as pd

from minset.compare.learning import survived_ps
from minset.figures.style import (
    COLORS,
    LINE_COLORS,
    PANEL_INCH,
    REFERENCE,
    engine_label,
    legend_below,
    nothing_to_show,
    panels,
)
from minset.names import is_model, shown_engines
from minset.system import reference_density_g_cm3


def stability(system: dict, files: dict, tables: list):
    """How long each simulation stayed physical; the seeds of one kind of model share a bar."""
    table = pd.read_csv(files["stability"])
    labels = [f"{r.simulation}: {engine_label(r.engine, seed=False)}" for r in table.itertuples()]
    bars = list(table.groupby(labels, sort=False))[::-1]
    figure, (axis,) = panels(1)
    figure.set_size_inches(6.0, 1.2 + 0.22 * len(bars))
    for k, (_, runs) in enumerate(bars):
        stable, times = runs["stable"].astype(bool), survived_ps(runs)
        color = COLORS[2] if stable.all() else COLORS[1]
        axis.barh(k, times.mean(), color=color, alpha=1 if len(runs) == 1 else 0.5)
        text = "stable" if stable.all() else f"{stable.sum()} of {len(runs)} stable"
        if len(runs) > 1:
            axis.plot(times, [k] * len(runs), "|", color="k", ms=5, mew=0.7)
        elif not stable.all():
            equilibrating = runs["phase"].iloc[0] == "equilibration"
            text = ("equilibration, " if equilibrating else "") + runs["reason"].iloc[0]
        axis.text(times.max(), k, f"  {text}", va="center", fontsize=6)
    axis.set_yticks(range(len(bars)), [label for label, _ in bars])
    axis.set(xlabel="simulated time / ps", xlim=(0, 1.8 * table["reached_ps"].max()))
    axis.set(ylim=(-0.7, len(bars) - 0.3))
    axis.set_title(f"{system['name']}: stability of the dynamics")
    return figure


def rdf(system: dict, files: dict, tables: list):
    """Partial RDFs of stable runs: references grey, models in colour, MDSuite dashed over MDAnalysis."""
    curves = [(row, t) for row, t in _filled(tables) if "stable" not in t or t["stable"].all()]

    def draw(axis, row, table, color):
        label = engine_label(row["engine"])
        if row["source"] == "MDAnalysis":
            axis.plot(table["r_A"], table["g"], color=color, label=label)
            low, high = table["g"] - table["g_stderr"], table["g"] + table["g_stderr"]
            axis.fill_between(table["r_A"], low, high, color=color, alpha=0.2, lw=0)
        else:
            axis.plot(table["r_A"], table["g"], "k--", lw=0.6)
        axis.set(xlabel=r"r / $\mathrm{\AA}$", ylabel="g(r)")

    figure, axes = _by_simulation(curves, "pair", draw)
    for axis in axes if curves else []:
        axis.axhline(1, color="#CCCCCC", lw=0.6, zorder=0)
    both = any(row["source"] == "MDSuite" for row, _ in curves)
    dashed = " (dashed: MDSuite)" if both else ""
    figure.suptitle(f"{system['name']}: radial distribution functions{dashed}")
    return figure


def msd(system: dict, files: dict, tables: list):
    """Mean squared displacements with the fits that give the diffusion coefficients."""

    def draw(axis, row, table, color):
        axis.errorbar(
            table["time_ps"],
            table["msd_A2"],
            table["msd_stderr_A2"],
            fmt=".",
            ms=3,
            lw=0.6,
            color=color,
            label=engine_label(row["engine"]),
        )
        axis.plot(table["time_ps"], table["fit_A2"], color=color)
        axis.set(xlabel="lag / ps", ylabel=r"MSD / $\mathrm{\AA}^2$")

    figure, _ = _by_simulation(_filled(tables), "species", draw)
    figure.suptitle(f"{system['name']}: mean squared displacement (line: fit)")
    return figure


def transport(system: dict, files: dict, tables: list):
    """Self-diffusion and ionic conductivity: kinisi, MDSuite and experiment side by side."""
    diffusion, conductivity = (_shown(files[name]) for name in ("diffusion", "conductivity"))
    species = system["species"]
    conducts = len(conductivity) > 0  # a metal has none, nor have runs that broke
    figure, axes = panels(len(species) + conducts)
    for axis, name in zip(axes, species, strict=False):
        part = diffusion[diffusion.get("species", pd.Series(dtype=str)) == name]
        _bars(axis, part, "diffusion_1e-9_m2_s", "diffusion_stderr_1e-9_m2_s")
        axis.set(ylabel=r"D / $10^{-9}$ m$^2$ s$^{-1}$", title=name)
    if conducts:
        _bars(axes[-1], conductivity, "conductivity_S_cm", "conductivity_stderr_S_cm")
        axes[-1].set(ylabel=r"conductivity / S cm$^{-1}$", title="ionic conductivity")
    figure.suptitle(f"{system['name']}: transport at constant volume")
    return figure


def density(system: dict, files: dict, tables: list):
    """Density at constant pressure against temperature, with the experimental fits.

    These are there where a run can be compared with them; runs that cannot, at another pressure or
    temperature, have open marks beside them. Seeds of a model share their color.
    """
    table = _shown(files["density"])
    figure, (axis,) = panels(1)
    compared = set(table.loc[table["engine"] == "experiment", "simulation"])
    for fit, style in zip(system["density"] if compared else [], ("-", "--", ":"), strict=False):
        T = np.linspace(fit["min_K"], fit["max_K"], 50)
        label = f"experiment ({fit['name']})"
        axis.plot(T, reference_density_g_cm3(fit, T), style, color=REFERENCE, label=label)
    runs = table[table["engine"] != "experiment"]
    runs = runs.assign(label=[engine_label(engine, seed=False) for engine in runs["engine"]])
    colors = _engine_colors(list(runs.drop_duplicates("label")["engine"]))
    for label, rows in runs.groupby("label", sort=False):
        color = colors[rows["engine"].iloc[0]]
        axis.errorbar(
            rows["temperature_K"],
            rows["density_g_cm3"],
            rows["density_stderr_g_cm3"],
            fmt="o",
            ms=4,
            capsize=2,
            color=color,
            label=label,
        )
        if compared:
            other = rows[~rows["simulation"].isin(compared)]
            place = other["temperature_K"], other["density_g_cm3"]
            axis.plot(*place, "o", ms=4, mfc="white", color=color, zorder=3)
    axis.set(xlabel="temperature / K", ylabel=r"density / g cm$^{-3}$")
    legend_below(figure, axis.get_legend_handles_labels()[0])
    axis.set_title(f"{system['name']}: density at constant pressure")
    return figure


def _filled(tables: list) -> list[tuple[dict, pd.DataFrame]]:
    """Tables with rows; runs that broke have none."""
    read = [(row, pd.read_csv(path)) for path, row in tables]
    return [(row, table) for row, table in read if len(table)]


def _by_simulation(curves: list, column: str, draw):
    """Figure and axes: a row of panels per simulation, a panel per value of a column.

    ``draw(axis, row, table, color)`` draws one run's part of a panel.
    """
    simulations = list(dict.fromkeys(row["simulation"] for row, _ in curves))
    values = list(dict.fromkeys(v for _, table in curves for v in table[column]))
    figure, axes = panels(max(1, len(values)), max(1, len(simulations)))
    if not curves:
        nothing_to_show(axes[0], "no simulation was stable")
        return figure, axes
    colors = _engine_colors([row["engine"] for row, _ in curves])
    for axis, (simulation, value) in zip(axes, product(simulations, values), strict=True):
        for row, table in curves:
            part = table[table[column] == value]
            if row["simulation"] == simulation and len(part):
                draw(axis, row, part, colors[row["engine"]])
        axis.set_title(f"{simulation}: {value}" if len(simulations) > 1 else value)
    drawn = [handle for axis in axes for handle in axis.get_legend_handles_labels()[0]]
    legend_below(figure, list({handle.get_label(): handle for handle in drawn}.values()))
    return figure, axes


def _shown(path: str) -> pd.DataFrame:
    """Rows of the engines that `shown_engines` leaves."""
    table = pd.read_csv(path)
    return table[table["engine"].isin(shown_engines(table["engine"]))] if len(table) else table


def _engine_colors(engines: list[str]) -> dict[str, str]:
    """Grey for reference potentials, the palette for models."""
    models = [e for e in dict.fromkeys(engines) if is_model(e)]
    colors = {e: LINE_COLORS[k % len(LINE_COLORS)] for k, e in enumerate(models)}
    return colors | {e: REFERENCE for e in engines if not is_model(e)}


def _bars(axis, table: pd.DataFrame, value: str, error: str) -> None:
    """Values with error bars by engine, one marker per source."""
    if table.empty or value not in table:
        nothing_to_show(axis, "no simulation was stable")
        return
    engines = list(dict.fromkeys(table["engine"]))
    for source, rows in table.groupby("source", sort=False):
        of_source = list(
            dict.fromkeys(table.loc[table["engine"] == rows["engine"].iloc[0], "source"])
        )
        shift = 0.15 * (of_source.index(source) - (len(of_source) - 1) / 2)
        x = [engines.index(e) + shift for e in rows["engine"]]
        axis.errorbar(x, rows[value], rows[error], fmt="o", ms=4, capsize=2, label=source)
    names = [engine_label(e).replace(", ", "\n") for e in engines]
    if len(engines) > 4:
        names = [engine_label(e) for e in engines]
        axis.tick_params(axis="x", rotation=90)
        axis.figure.set_figheight(PANEL_INCH[1] + 1.6)
    axis.set_xticks(range(len(engines)), names, fontsize=6)
    axis.set(xlim=(-0.6, len(engines) - 0.4), ylim=(0, 1.15 * (table[value] + table[error]).max()))
    axis.legend(fontsize=6)
