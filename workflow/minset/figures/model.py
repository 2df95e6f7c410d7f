"""Figures of the trained models."""

import numpy as np
import pandas as pd

from minset.figures.style import panels, run_label


def loss(system: dict, files: dict, tables: list):
    """Training and validation loss, and the force error, over epochs."""
    figure, (left, right) = panels(2)
    for path, row in tables:
        history = pd.read_csv(path)
        (line,) = left.semilogy(history["epoch"], history["validation_loss"], label=run_label(row))
        left.semilogy(
            history["epoch"], history["train_loss"], color=line.get_color(), lw=0.7, ls=":"
        )
        force = history["validation_force_rmse_eV_A"]
        right.semilogy(history["epoch"], force, color=line.get_color())
        best = history["validation_loss"].idxmin()
        right.plot(history["epoch"][best], force[best], "o", ms=4, color=line.get_color())
    left.set(xlabel="epoch", ylabel="loss (dotted: training)")
    right.set(xlabel="epoch", ylabel=r"validation force RMSE / eV $\mathrm{\AA}^{-1}$")
    if len(tables) <= 8:
        left.legend(fontsize=6)
    figure.suptitle(f"{system['name']}: training; circles mark the epoch that was kept")
    return figure


def parity(system: dict, files: dict, tables: list):
    """Predicted against labelled force components on the test set."""
    columns = min(4, len(tables))
    figure, axes = panels(columns, -(-len(tables) // columns))
    for axis, (path, row) in zip(axes, tables, strict=False):
        forces = pd.read_csv(path)
        limit = 1.05 * np.abs(forces[["label_eV_A", "model_eV_A"]]).to_numpy().max()
        for species, part in forces.groupby("species", sort=False):
            axis.plot(part["label_eV_A"], part["model_eV_A"], ".", ms=2, alpha=0.6, label=species)
        axis.plot([-limit, limit], [-limit, limit], color="k", lw=0.6)
        rmse = np.sqrt(np.mean((forces["model_eV_A"] - forces["label_eV_A"]) ** 2))
        axis.set(
            xlim=(-limit, limit),
            ylim=(-limit, limit),
            aspect="equal",
            xlabel=r"label / eV $\mathrm{\AA}^{-1}$",
            ylabel=r"model / eV $\mathrm{\AA}^{-1}$",
        )
        axis.set_title(f"{run_label(row)}\nRMSE {rmse:.3f} eV/$\\mathrm{{\\AA}}$", fontsize=7)
        axis.legend(markerscale=3, fontsize=6)
    for axis in axes[len(tables) :]:
        axis.set_axis_off()
    figure.suptitle(f"{system['name']}: forces on the test set")
    return figure


def errors(system: dict, files: dict, tables: list):
    """RMSE and L4 of the forces against the number of training frames, one line per selector."""
    table = pd.read_csv(files["errors"])
    figure, axes = panels(2)
    for axis, (column, name) in zip(
        axes, {"force_rmse_eV_A": "RMSE", "force_l4_eV_A": "L4"}.items(), strict=True
    ):
        for (selector, model), rows in table.groupby(["selector", "model"], sort=False):
            by_size = rows.groupby("size")[column]
            mean, spread = by_size.mean(), by_size.std().fillna(0)
            axis.errorbar(
                mean.index, mean, spread, fmt="o-", ms=4, capsize=2, label=f"{selector}, {model}"
            )
        axis.set_xscale("log", base=2)
        axis.set_xticks(sorted(table["size"].unique()), map(str, sorted(table["size"].unique())))
        axis.minorticks_off()
        axis.set(
            xlabel="training frames",
            ylabel=rf"force {name} / eV $\mathrm{{\AA}}^{{-1}}$",
            ylim=(0, 1.15 * table[column].max()),
        )
    axes[0].legend(fontsize=6)
    seeds = table["seed"].nunique()
    note = f"mean and standard deviation of {seeds} seeds" if seeds > 1 else "one seed"
    figure.suptitle(f"{system['name']}: errors on {table['test_frames'].max()} test frames, {note}")
    return figure
