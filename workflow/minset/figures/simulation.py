"""Figures of the simulations and what was computed from them."""

import numpy as np
import pandas as pd

from minset.figures.style import COLORS, REFERENCE, engine_label, nothing_to_show, panels
from minset.system import POTENTIALS, reference_density_g_cm3


def stability(system: dict, files: dict, tables: list):
    """How long each simulation stayed physical."""
    table = pd.read_csv(files["stability"]).iloc[::-1]
    figure, (axis,) = panels(1)
    figure.set_size_inches(6.0, 1.2 + 0.22 * len(table))
    colors = [COLORS[2] if stable else COLORS[1] for stable in table["stable"]]
    names = [f"{r.simulation}: {engine_label(r.engine)}" for r in table.itertuples()]
    axis.barh(names, table["reached_ps"], color=colors)
    for k, row in enumerate(table.itertuples()):
        text = "stable" if row.stable else row.reason
        axis.text(row.reached_ps, k, f" {text}", va="center", fontsize=6)
    axis.set(xlabel="simulated time / ps", xlim=(0, 1.8 * table["reached_ps"].max()))
    axis.set_title(f"{system['name']}: stability of the dynamics")
    return figure


def rdf(system: dict, files: dict, tables: list):
    """Partial RDFs: references grey, models in colour, MDSuite dashed over MDAnalysis."""
    curves = _filled(tables)
    pairs = list(dict.fromkeys(p for _, t in curves for p in t["pair"]))
    figure, axes = panels(max(1, len(pairs)))
    if not curves:
        nothing_to_show(axes[0], "no simulation was stable")
        return figure
    colors = _engine_colors([row["engine"] for row, _ in curves])
    for axis, pair in zip(axes, pairs, strict=True):
        for row, table in curves:
            part = table[table["pair"] == pair]
            label = engine_label(row["engine"])
            if row["source"] == "MDAnalysis":
                color = colors[row["engine"]]
                axis.plot(part["r_A"], part["g"], color=color, label=label)
                low, high = part["g"] - part["g_stderr"], part["g"] + part["g_stderr"]
                axis.fill_between(part["r_A"], low, high, color=color, alpha=0.2, lw=0)
            else:
                axis.plot(part["r_A"], part["g"], "k--", lw=0.6)
        axis.axhline(1, color="#CCCCCC", lw=0.6, zorder=0)
        axis.set(xlabel=r"r / $\mathrm{\AA}$", ylabel="g(r)", title=pair)
    axes[0].legend(fontsize=6)
    figure.suptitle(f"{system['name']}: radial distribution functions (dashed: MDSuite)")
    return figure


def msd(system: dict, files: dict, tables: list):
    """Mean squared displacements with the fits that give the diffusion coefficients."""
    curves = _filled(tables)
    species = list(dict.fromkeys(s for _, t in curves for s in t["species"]))
    figure, axes = panels(max(1, len(species)))
    if not curves:
        nothing_to_show(axes[0], "no simulation was stable")
        return figure
    colors = _engine_colors([row["engine"] for row, _ in curves])
    for axis, name in zip(axes, species, strict=True):
        for row, table in curves:
            part = table[table["species"] == name]
            color = colors[row["engine"]]
            axis.errorbar(
                part["time_ps"],
                part["msd_A2"],
                part["msd_stderr_A2"],
                fmt=".",
                ms=3,
                lw=0.6,
                color=color,
                label=engine_label(row["engine"]),
            )
            axis.plot(part["time_ps"], part["fit_A2"], color=color)
        axis.set(xlabel="lag / ps", ylabel=r"MSD / $\mathrm{\AA}^2$", title=name)
    axes[0].legend(fontsize=6)
    figure.suptitle(f"{system['name']}: mean squared displacement (line: fit)")
    return figure


def transport(system: dict, files: dict, tables: list):
    """Self-diffusion and ionic conductivity: kinisi, MDSuite and experiment side by side."""
    diffusion = pd.read_csv(files["diffusion"])
    conductivity = pd.read_csv(files["conductivity"])
    species = list(system["species"])
    figure, axes = panels(len(species) + 1)
    for axis, name in zip(axes, species, strict=False):
        part = diffusion[diffusion.get("species", pd.Series(dtype=str)) == name]
        _bars(axis, part, "diffusion_1e-9_m2_s", "diffusion_stderr_1e-9_m2_s")
        axis.set(ylabel=r"D / $10^{-9}$ m$^2$ s$^{-1}$", title=name)
    _bars(axes[-1], conductivity, "conductivity_S_cm", "conductivity_stderr_S_cm")
    axes[-1].set(ylabel=r"conductivity / S cm$^{-1}$", title="ionic conductivity")
    figure.suptitle(f"{system['name']}: transport at constant volume")
    return figure


def density(system: dict, files: dict, tables: list):
    """Density at constant pressure against temperature, with the experimental fits."""
    table = pd.read_csv(files["density"])
    figure, (axis,) = panels(1)
    for fit, style in zip(system["reference"]["density"], ("-", "--", ":"), strict=False):
        T = np.linspace(fit["min_K"], fit["max_K"], 50)
        label = f"experiment ({fit['name']})"
        axis.plot(T, reference_density_g_cm3(fit, T), style, color=REFERENCE, label=label)
    runs = table[table["engine"] != "experiment"]
    colors = _engine_colors(list(runs["engine"]))
    for engine, rows in runs.groupby("engine", sort=False):
        axis.errorbar(
            rows["temperature_K"],
            rows["density_g_cm3"],
            rows["density_stderr_g_cm3"],
            fmt="o",
            ms=4,
            capsize=2,
            color=colors[engine],
            label=engine_label(engine),
        )
    axis.set(xlabel="temperature / K", ylabel=r"density / g cm$^{-3}$")
    axis.legend(fontsize=6)
    axis.set_title(f"{system['name']}: density at constant pressure")
    return figure


def _filled(tables: list) -> list[tuple[dict, pd.DataFrame]]:
    """Tables with rows; runs that broke have none."""
    read = [(row, pd.read_csv(path)) for path, row in tables]
    return [(row, table) for row, table in read if len(table)]


def _engine_colors(engines: list[str]) -> dict[str, str]:
    """Grey for classical references, the palette for models."""
    models = [e for e in dict.fromkeys(engines) if e not in POTENTIALS]
    colors = {e: COLORS[k % len(COLORS)] for k, e in enumerate(models)}
    return colors | {e: REFERENCE for e in engines if e in POTENTIALS}


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
    axis.set_xticks(range(len(engines)), names, fontsize=6)
    axis.set(xlim=(-0.6, len(engines) - 0.4), ylim=(0, 1.15 * (table[value] + table[error]).max()))
    axis.legend(fontsize=6)
