"""Tables and figures of the benchmark from its CSV files, as far as they are there."""

import json
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.ticker import FuncFormatter

from minset.figures.style import COLORS, REFERENCE, panels
from minset.files import write_text, written_aside

# schnetpack's tools in orange and red, minset's engines in blue
LOOKS = {
    "schnetpack ASE": (COLORS[4], "s"),
    "spkmd": (COLORS[1], "D"),
    "schnetpack ASE, flushed": (COLORS[6], "v"),
    "spkmd, flushed": (COLORS[3], "<"),
    "minset schnetpack": (COLORS[5], "^"),
    "minset compressed": (COLORS[0], "o"),
}
MD = list(LOOKS)
MODELS = ["small", "medium", "large"]
MODEL_STYLES = {"small": ":", "medium": "-", "large": "--"}

METHOD = """\
All contestants of a row compute the same network with the same weights on the same frames, live in one
process with the same number of threads, and take turns. Numbers are medians (quartiles); the last column
compares the fastest of each side. How often each was repeated is in the CSV files. Written by
`make bench`.
"""
ABOUT_MD = """\
NVT at 1400 K and 1.42 g/cm^3, steps of 2 fs, nothing written on the way. The weights are random: their
forces, below 1.2 eV/A, do not keep ions apart, so that ions move about as fast as in the melt, at its
density, but through each other. minset's limits on distances are therefore off; they are checked and
cost their time. Before anything is timed the forces must agree to 1e-4 eV/A (compressed: 1e-3).

- *schnetpack ASE*: `SpkCalculator` with `MatScipyNeighborList`, float32, ASE's Langevin dynamics.
- *spkmd*: what that command builds: `SchNetPackCalculator`, `NeighborListMD` over `MatScipyNeighborList`
  with its 2 A shell, `VelocityVerlet`, the Langevin thermostat (its Nose-Hoover chains are slower),
  float32.
- *flushed*: the same two with `torch.set_flush_denormal(True)`, which schnetpack leaves to its user: on
  some processors numbers below 1e-38 cost a multiple. On one thread: torch sets it for the calling one.
- *minset schnetpack*, *minset compressed*: minset's engines behind LAMMPS with Nose-Hoover chains. They
  also make the virial at every step; the other two do not.

A force call is one evaluation at positions that differ by 0.01 A from the call before: lists with a skin
stay, schnetpack's calculator for ASE has none. Large frames have few steps per measurement, in which the
lists of *spkmd* and of minset may not have been renewed once.
"""
ABOUT_TRAINING = """\
32 frames of 100 ions, batches of 4, energies and forces, one validation frame, first epochs not counted.
*spktrain*: what that command builds, with its defaults for metrics, callbacks (checkpoint, early
stopping, average of the weights) and transforms, but no logger, no progress bar and no worker processes
(its default of eight costs more than it saves here); without its validation; *flushed* with
`torch.set_flush_denormal(True)`. *minset*: with its validation.
"""
ABOUT_DESCRIPTORS = """\
Means over the species of an untrained representation, 100 ions a frame, 16 frames at a time, from file to
array with neighbour lists. *schnetpack*: `ASEAtomsData`, `MatScipyNeighborList`, `AtomsLoader`. *minset*:
`minset.descriptor.representation`.
"""
ABOUT_SELECTION = """\
Frames of 100 ions: those of a short run, rescaled by up to 3 % and shaken by up to 0.2 A. Each contestant
has a process of its own with one thread, other seeds in each repetition, and its imports not counted.
*random* shows what a process takes that does next to nothing. From an untrained representation (medium
model) *rnd* gets one row of numbers per ion, the others one per frame: *fps* (scikit-matter) and
*rnd, frames* (`atoms: false`, once with `max_steps: 20` instead of 200). *entropy_gain* looks at 126
numbers per ion from quests. *ZnNL's rnd* is what [ZnNL](https://github.com/zincware/ZnNL) does at each
pick, with its default training of 50 epochs, written in torch instead of JAX, with networks as
large as minset's: the whole pool through target and predictor, then training on all picks so far. It may
pick a frame again: see distinct picks.

Distance of the frames of the pool to the nearest pick, in standard deviations of the rows that *fps*
looks at: the mean over the pool, and the largest.
"""
ABOUT_SCALE = """\
A synthetic study of 10 selectors, 6 sizes and 5 seeds for each of some systems, without simulations:
Snakemake's dry run, and a call when all results are there. Labels: one job through everything but CP2K,
which a script replaces that sleeps for 20 ms and prints a recorded output; each frame started it once.
"""


def read(results: Path, name: str) -> pd.DataFrame | None:
    """A table of results, or None before its first row."""
    path = results / f"{name}.csv"
    return pd.read_csv(path) if path.exists() else None


def markdown(header: list[str], rows: list[list[str]]) -> str:
    """A table with its first column to the left and the others to the right."""
    lines = [header, ["---"] + ["---:"] * (len(header) - 1), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def number(value: float) -> str:
    """Three significant digits without an exponent."""
    digits = 2 - int(np.floor(np.log10(abs(value)))) if value else 0
    return f"{value:.{max(0, digits)}f}"


def comparison(
    table: pd.DataFrame, keys: list[str], value: str, contestants: list[str], larger_is_better: bool
) -> str:
    """One row per case, one column per contestant, and the factor between the best of both sides.

    Parameters
    ----------
    keys
        Columns that name a case.
    value
        Column of the medians; its quartiles are in ``<value>_q1`` and ``<value>_q3``.
    contestants
        In order; those of minset begin with its name.
    """
    rows = []
    for case, group in table.groupby(keys, sort=False):
        found = group.set_index("contestant")
        cells, sides = [str(k) for k in case], {True: [], False: []}
        for name in contestants:
            if name not in found.index:
                cells.append("–")
                continue
            row = found.loc[name]
            cells.append(
                f"{number(row[value])} ({number(row[f'{value}_q1'])}–{number(row[f'{value}_q3'])})"
            )
            sides[name.startswith("minset")].append(row[value])
        factor = "–"
        if all(sides.values()):
            ours, theirs = (
                (max(v) if larger_is_better else min(v)) for v in (sides[True], sides[False])
            )
            factor = number(ours / theirs if larger_is_better else theirs / ours)
        rows.append([*cells, factor])
    return markdown([*keys, *contestants, "minset is faster by"], rows)


def ordered(table: pd.DataFrame, *more: str) -> pd.DataFrame:
    """Rows by threads, model and further columns."""
    order = table["model"].map(MODELS.index)
    return table.assign(order=order).sort_values(["threads", "order", *more]).drop(columns="order")


def readme(results: Path) -> None:
    """Everything as text."""
    machine = json.loads((results / "machine.json").read_text())
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    text = f"# minset and schnetpack: speed\n\n{METHOD}\n"
    text += (
        f"{machine['cpu']}, {machine['cores']} cores, {machine['memory_GB']} GB, {machine['os']}; "
    )
    text += f"Python {machine['python']}, {versions}; {machine['date']}.\n"
    if (table := read(results, "md")) is not None:
        table, keys = ordered(table, "ions"), ["threads", "model", "ions"]
        text += f"\n## Molecular dynamics\n\n{ABOUT_MD}\n"
        text += "![Time per step against the number of ions](md.png)\n\nTime per MD step in ms:\n\n"
        text += comparison(table, keys, "step_ms", MD, False)
        text += "\nTime per force call in ms:\n\n"
        text += comparison(table, keys, "force_call_ms", MD, False)
    names = ["spktrain", "spktrain, flushed", "minset"]
    if (table := read(results, "training")) is not None:
        text += f"\n## Training\n\n{ABOUT_TRAINING}\nSeconds per epoch:\n\n"
        text += comparison(ordered(table), ["threads", "model"], "epoch_s", names, False)
    if (table := read(results, "curves")) is not None:
        text += "\n![Loss curves of both](training.png)\n\nAfter the same number of epochs, errors on 8 "
        text += "validation frames (medium model; spktrain's are of its averaged weights):\n\n"
        columns = ["epoch", "seconds", "energy_rmse_meV_atom", "force_rmse_eV_A"]
        last = table.groupby("contestant", sort=False).last()[columns]
        rows = [
            [name, *map(number, row)] for name, row in zip(last.index, last.values, strict=True)
        ]
        header = ["", "epochs", "seconds", "energy RMSE meV/atom", "force RMSE eV/A"]
        text += markdown(header, rows)
    if (table := read(results, "descriptors")) is not None:
        text += f"\n## Descriptors\n\n{ABOUT_DESCRIPTORS}\nFrames per second:\n\n"
        names = ["schnetpack", "minset"]
        text += comparison(ordered(table), ["threads", "model"], "frames_per_s", names, True)
    if (table := read(results, "selection")) is not None:
        text += f"\n## Selection\n\n{ABOUT_SELECTION}\n{selection(table)}"
    if (table := read(results, "scale")) is not None:
        text += f"\n## Many jobs, many frames\n\n{ABOUT_SCALE}\n"
        columns = ["seconds", "processor_s", "memory_MB"]
        rows = [
            [r["contestant"], str(r["count"]), *(number(r[c]) for c in columns)]
            for _, r in table.iterrows()
        ]
        header = ["", "jobs or frames", "seconds", "processor s", "peak memory MB"]
        text += markdown(header, rows)
    write_text(results / "README.md", text)


def selection(table: pd.DataFrame) -> str:
    """One row per pool and selector."""
    rows = []
    for _, row in table.sort_values("frames", kind="stable").iterrows():
        medians = [
            f"{number(row[key])} ({number(row[f'{key}_q1'])}–{number(row[f'{key}_q3'])})"
            for key in ("selection_s", "mean_distance", "largest_distance")
        ]
        memory = max(row["descriptors_memory_MB"], row["selection_memory_MB"])
        counts = [str(row["frames"]), str(row["picks"]), row["contestant"]]
        rows.append([*counts, number(row["descriptors_s"]), medians[0], str(memory)])
        rows[-1] += [str(row["distinct_picks"]), *medians[1:]]
    header = ["frames", "picks", "selector", "descriptors s", "selection s", "peak memory MB"]
    text = markdown([*header, "distinct picks", "mean distance", "largest distance"], rows)
    largest = table["frames"].max()
    here = set(table.loc[table["frames"] == largest, "contestant"])
    if slow := sorted(set(table["contestant"]) - here):
        text += f"\nNot measured with {largest} frames, being too slow: {', '.join(slow)}.\n"
    return text


def md_figure(results: Path, table: pd.DataFrame) -> None:
    """Time per step against ions: the medium model strong, the others faint."""
    table = table[table["threads"] == 1].sort_values("ions")
    models = [m for m in MODELS if m in set(table["model"])]
    if not models:
        return
    strong = "medium" if "medium" in models else models[-1]
    figure, axis = plt.subplots(figsize=(6.4, 3.8))
    for name, (color, marker) in LOOKS.items():
        for model in models:
            rows = table[(table["contestant"] == name) & (table["model"] == model)]
            if not len(rows):
                continue
            style = {"color": color, "ls": MODEL_STYLES[model], "marker": marker}
            if model == strong:
                low = rows["step_ms"] - rows["step_ms_q1"]
                high = rows["step_ms_q3"] - rows["step_ms"]
                style |= {"ms": 4.5, "lw": 1.8, "capsize": 2, "label": name}
                axis.errorbar(rows["ions"], rows["step_ms"], [low, high], **style)
            else:
                axis.plot(rows["ions"], rows["step_ms"], ms=2, lw=1.0, alpha=0.5, **style)
    for model in models:
        axis.plot([], [], color=REFERENCE, ls=MODEL_STYLES[model], lw=1.0, label=f"{model} model")
    axis.set(xscale="log", yscale="log", xlabel="ions", ylabel="time per MD step / ms")
    axis.set_title("Molten NaCl, one thread", fontsize=8)
    sizes = sorted(table["ions"].unique())
    axis.set_xticks(sizes, [f"{n}" for n in sizes])
    axis.xaxis.minorticks_off()
    axis.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.grid(alpha=0.25, lw=0.5)
    axis.legend(fontsize=7, loc="center left", bbox_to_anchor=(1, 0.5))
    _save(figure, results / "md.png")


def training_figure(results: Path, table: pd.DataFrame) -> None:
    """Errors on the validation frames against epochs and against time."""
    figure, axes = panels(2, 2)
    axes[1].sharey(axes[0])
    axes[3].sharey(axes[2])
    values = {
        "energy_rmse_meV_atom": "energy RMSE / meV/atom",
        "force_rmse_eV_A": r"force RMSE / eV/$\mathrm{\AA}$",
    }
    for k, (column, label) in enumerate(values.items()):
        for axis, x in zip(axes[2 * k :], ("epoch", "seconds"), strict=False):
            for contestant, rows in table.groupby("contestant", sort=False):
                axis.plot(rows[x], rows[column], label=contestant)
            axis.set(yscale="log", xlabel="epoch" if x == "epoch" else "time / s")
        axes[2 * k].set_ylabel(label)
    axes[0].legend()
    _save(figure, results / "training.png")


def _save(figure, path: Path) -> None:
    with written_aside(path) as aside:
        figure.savefig(aside, dpi=200)
    plt.close(figure)


def main(plan: dict) -> None:
    """Write README.md and the figures."""
    results = Path(plan["results"])
    if (table := read(results, "md")) is not None:
        md_figure(results, table)
    if (table := read(results, "curves")) is not None:
        training_figure(results, table)
    readme(results)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
