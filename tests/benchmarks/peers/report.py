"""Table and figure of what the contestants reached: README.md, peers.csv, peers.png."""

import json
from pathlib import Path

import numpy as np
import pandas as pd

from minset.figures.style import LINE_COLORS, log_ticks, plt
from minset.files import written_aside
from peers.contestants import CONTESTANTS
from report import markdown, number

INTRODUCTION = """# Accuracy against cost

Molten KCl, frames of 32 ions labelled with PBE-D3 (`results/published/kcl-dft-laptop`). All contestants
get the same training frames, drawn at random from {pool} labelled ones of the pool, the same
{validation} validation and {test} test frames, and one core. Some of the {pool} were chosen by `rnd` and
`entropy_gain`, so they are more diverse than a random draw from the pool. Written by `make bench-peers`;
a result that is there is kept, `PEERS="--sizes 8 32 --seeds 1 2 3 4 5"` asks for more.

Cost: processor time of a step of MD of 256 ions at 1200 K, of minset's models (GAP too) and of DeePMD, by
its own pair style, in LAMMPS with the virial, of the others in ASE with their own calculator; median of
five blocks. Training: processor time, imports and compilation not counted but where it is a command of
its own (MACE, DeePMD). Memory: peak of the process. L4 is the fourth root of the mean
fourth power of the force errors. Energies are shown also without their mean error, which is what counts
for a universal potential: its zero of energy is another one.

"""
COLUMNS = {
    "force_rmse_eV_A": "force RMSE eV/A",
    "force_l4_eV_A": "force L4 eV/A",
    "energy_rmse_meV_atom": "energy RMSE meV/atom",
    "energy_std_meV_atom": "the same without its mean",
    "us_per_atom_step": "us per atom and step",
    "training_s": "training s",
    "training_memory_MB": "memory, training MB",
    "memory_MB": "memory, MD MB",
}

COMPARED = ("force_rmse_eV_A", "force_l4_eV_A", "energy_std_meV_atom", "us_per_atom_step")


def read_results(folder: Path) -> pd.DataFrame:
    """A row for each result."""
    rows = [json.loads(path.read_text()) for path in sorted((folder / "runs").glob("*.json"))]
    rows = [row | {"training_s": row.get("training_s", np.nan)} for row in rows]
    return pd.DataFrame([row for row in rows if row["contestant"] in CONTESTANTS])


def averaged(table: pd.DataFrame) -> pd.DataFrame:
    """Means over seeds, errors as geometric ones, by contestant and size; ``seeds`` counts them."""
    rows = []
    for (name, size), group in table.groupby(["contestant", "size"], sort=False):
        row = {"contestant": name, "size": size, "seeds": len(group)}
        for column in COLUMNS:
            values = group[column].astype(float) if column in group else pd.Series([np.nan])
            error = column.startswith(("force", "energy"))
            row[column] = np.exp(np.log(values).mean()) if error else values.mean()
        rows.append(row)
    order = list(CONTESTANTS)
    made = pd.DataFrame(rows)
    return made.sort_values(
        ["size", "contestant"],
        key=lambda c: c.map(lambda value: order.index(value) if isinstance(value, str) else value),
        ignore_index=True,
    )


def table_of(means: pd.DataFrame) -> str:
    """Markdown of the means; what was not trained has another zero of energy."""
    means = means.copy()
    means.loc[means["size"] == 0, "energy_rmse_meV_atom"] = np.nan
    rows = [
        [
            CONTESTANTS[row["contestant"]].name,
            str(row["size"] or "none"),
            str(row["seeds"]) if row["size"] else "",
            *("" if np.isnan(row[column]) else number(row[column]) for column in COLUMNS),
        ]
        for row in means.to_dict("records")
    ]
    return markdown(["contestant", "frames", "seeds", *COLUMNS.values()], rows)


def better_than_ours(means: pd.DataFrame) -> str:
    """A line wherever another contestant beats all of minset's own in an error or in cost."""
    lines = []
    for size in sorted(set(means["size"]) - {0}):
        group = means[means["size"].isin([0, size])]  # what is not trained stands beside all sizes
        ours = group["contestant"].map(lambda name: CONTESTANTS[name].module == "of_minset")
        ours &= group["contestant"] != "gap"  # QUIP's
        if not ours.any():
            continue
        for column in (
            "force_rmse_eV_A",
            "force_l4_eV_A",
            "energy_rmse_meV_atom",
            "us_per_atom_step",
        ):
            best = group[ours][column].min()
            for row in group[~ours].to_dict("records"):
                if row[column] < best:
                    name = CONTESTANTS[row["contestant"]].name
                    lines.append(
                        f"- {size} frames, {COLUMNS[column]}: {name} {number(row[column])}, the best of "
                        f"minset's own {number(best)}."
                    )
    return "\n".join(lines) + "\n" if lines else "Nowhere among the results so far.\n"


def machines(table: pd.DataFrame) -> str:
    """Processors, versions, dates and load of the results."""
    lines = []
    for cpu, group in table.groupby("cpu"):
        first, load = group.iloc[0], group["load"].max()
        versions = {k: v for found in group["versions"] for k, v in found.items()}
        named = ", ".join(f"{k} {v}" for k, v in sorted(versions.items()))
        dates = ", ".join(sorted({day[:10] for day in group["measured"]}))
        line = f"- {cpu}, {first['cores']} cores, {first['memory_GB']} GB, {first['os']}, Python "
        line += f"{first['python']}; {named}; {dates}; load up to {load:g}."
        if load > 1.5 * first["cores"]:
            line += (
                " Much else ran there: processor times are up to twice those of a quiet machine."
            )
        lines.append(line)
    return "\n".join(lines) + "\n"


def figure_of(table: pd.DataFrame, path: Path) -> None:
    """Force RMSE against the cost of a step: a point for each seed, sizes of a contestant joined."""
    figure, axis = plt.subplots(figsize=(6.4, 3.8))
    for (name, contestant), color in zip(CONTESTANTS.items(), LINE_COLORS, strict=False):
        rows = table[table["contestant"] == name].sort_values("size")
        if not len(rows):
            continue
        means = rows.groupby("size")[["us_per_atom_step", "force_rmse_eV_A"]].mean()
        axis.plot(*means.to_numpy().T, "-", color=color, lw=0.8)
        for size, group in rows.groupby("size"):
            axis.scatter(
                group["us_per_atom_step"],
                group["force_rmse_eV_A"],
                s=14 + 1.5 * size,
                color=color,
                label=contestant.name if size == rows["size"].max() else None,
            )
    axis.set(
        xscale="log",
        yscale="log",
        xlabel=r"cost of a step on one core / $\mathrm{\mu}$s per atom",
        ylabel=r"force RMSE / eV/$\mathrm{\AA}$",
    )
    log_ticks(axis.yaxis)
    sizes = [f"{size}" for size in sorted(set(table["size"])) if size]
    axis.set_title(f"Molten KCl; larger marks: more frames ({', '.join(sizes)})", fontsize=8)
    axis.grid(alpha=0.25, lw=0.5, which="both")
    axis.legend(fontsize=7, loc="center left", bbox_to_anchor=(1, 0.5))
    with written_aside(path) as aside:
        figure.savefig(aside, dpi=200)
    plt.close(figure)


def write_report(folder: Path, frames: dict[str, list]) -> None:
    """Write all from the results that there are; ``frames`` by role, as `labelled` gives them."""
    table = read_results(folder)
    if not len(table):
        return
    means = averaged(table)
    with written_aside(folder / "peers.csv") as aside:
        table.drop(columns="versions").to_csv(aside, index=False, float_format="%.6g")
    figure_of(table, folder / "peers.png")
    there = [name for name in CONTESTANTS if name in set(table["contestant"])]
    budgets = "\n".join(f"- *{CONTESTANTS[n].name}*: {CONTESTANTS[n].budget}." for n in there)
    text = "\n".join(
        [
            INTRODUCTION.format(**{role: len(each) for role, each in frames.items()})
            + table_of(means),
            "![Error against cost](peers.png)\n",
            "## Where others are better\n",
            better_than_ours(means),
            f"## How each was trained\n\n{budgets}\n",
            f"## Measured on\n\n{machines(table)}",
        ]
    )
    (folder / "README.md").write_text(text)
