"""Common looks of all figures."""

from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from minset.files import written_aside

# Okabe and Ito's palette, told apart in all kinds of colour vision
COLORS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#F0E442"]
REFERENCE = "#555555"
PANEL_INCH = (3.4, 2.6)

plt.rcParams.update(
    {
        "font.size": 8,
        "axes.prop_cycle": matplotlib.cycler(color=COLORS),
        "axes.spines.top": False,
        "axes.spines.right": False,
        "legend.frameon": False,
        "lines.linewidth": 1.2,
        "figure.constrained_layout.use": True,
        "pdf.fonttype": 42,
    }
)


def panels(columns: int, rows: int = 1, **options) -> tuple[Figure, list]:
    """Figure with a grid of equal panels, as a flat list."""
    size = (PANEL_INCH[0] * columns, PANEL_INCH[1] * rows)
    figure, axes = plt.subplots(rows, columns, figsize=size, squeeze=False, **options)
    return figure, list(axes.flat)


def save(figure: Figure, pdf: Path, png: Path) -> None:
    """Write a figure in both formats, each in one step; the same data give the same bytes."""
    with written_aside(pdf) as aside:
        figure.savefig(aside, metadata={"CreationDate": None})
    with written_aside(png) as aside:
        figure.savefig(aside, dpi=200)
    plt.close(figure)


def run_label(row: dict) -> str:
    """Name of a trained model in a legend."""
    return f"{row['selector']}, {row['size']} frames, seed {row['seed']}, {row['model']}"


def engine_label(engine: str) -> str:
    """Name of a force engine in a legend."""
    if "-n" not in engine:
        return engine if engine == "experiment" else f"classical ({engine})"
    selector, size, seed, model = engine.split("-")
    return f"{selector}, {size[1:]} frames, {model}" + (
        "" if seed == "s1" else f", seed {seed[1:]}"
    )


def nothing_to_show(axis, why: str) -> None:
    """Say in an empty panel why it is empty."""
    axis.text(0.5, 0.5, why, ha="center", va="center", transform=axis.transAxes, wrap=True)
    axis.set_axis_off()
