"""Common looks of all figures."""

from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import AutoLocator, FuncFormatter, LogLocator, NullFormatter

from minset.files import written_aside
from minset.names import MEAN, is_model, run_row

# Okabe and Ito's palette, told apart in all kinds of colour vision
COLORS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#F0E442"]
# nine that stay apart when lines cross: those without the yellow, black, and two of Tol's
LINE_COLORS = [*COLORS[:6], "#000000", "#882255", "#999933"]
# dotted lines are left to runs that broke
LINE_STYLES = ["-", "--", "-.", (0, (5, 1)), (0, (3, 1, 1, 1, 1, 1))]
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


def panels(columns: int, rows: int = 1, height_inch: float = PANEL_INCH[1]) -> tuple[Figure, list]:
    """Figure with a grid of equal panels, as a flat list."""
    size = (PANEL_INCH[0] * columns, height_inch * rows)
    figure, axes = plt.subplots(rows, columns, figsize=size, squeeze=False)
    return figure, list(axes.flat)


def save(figure: Figure, pdf: Path, png: Path) -> None:
    """Write a figure in both formats, each in one step; the same data give the same bytes."""
    with written_aside(pdf) as aside:
        figure.savefig(aside, metadata={"CreationDate": None})
    with written_aside(png) as aside:
        figure.savefig(aside, dpi=200)
    plt.close(figure)


def selector_styles(selectors) -> dict[str, tuple]:
    """Colour and line style of each selector by name, in the order in which the names appear."""
    return {
        name: (LINE_COLORS[k % len(LINE_COLORS)], LINE_STYLES[k % len(LINE_STYLES)])
        for k, name in enumerate(dict.fromkeys(selectors))
    }


def selector_handles(styles: dict[str, tuple]) -> list[Line2D]:
    """Legend entries of `selector_styles`."""
    return [Line2D([], [], color=c, ls=line, label=name) for name, (c, line) in styles.items()]


def legend_below(figure: Figure, handles: list) -> None:
    """One legend for all panels, in as many columns as fit under them; the figure grows by it."""
    if not handles:
        return
    longest = max(len(handle.get_label()) for handle in handles)
    columns = int(figure.get_figwidth() / (0.6 + 0.055 * longest))
    columns = min(len(handles), max(1, columns))
    figure.set_figheight(figure.get_figheight() + 0.17 * -(-len(handles) // columns))
    figure.legend(handles=handles, loc="outside lower center", ncols=columns, fontsize=7)


def log_ticks(axis) -> None:
    """Plain numbers on a logarithmic ``Axes.xaxis`` or ``Axes.yaxis`` that is drawn already."""
    low, high = axis.get_view_interval()
    # 1, 2, 5 per decade; a shorter range may hold none of them
    axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)) if high > 5 * low else AutoLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.3g}"))
    axis.set_minor_formatter(NullFormatter())


def run_label(row: dict) -> str:
    """Name of a trained model in a legend."""
    return f"{row['selector']}, {row['size']} frames, seed {row['seed']}, {row['model']}"


def engine_label(engine: str, seed: bool = True) -> str:
    """Name of a force engine in a legend, on request without a model's seed."""
    if not is_model(engine):
        return engine if engine == "experiment" else f"classical ({engine})"
    row = run_row(engine)
    label = f"{row['selector']}, {row['size']} frames, {row['model']}"
    label += ", mean of members" if row["member"] == MEAN else ""
    return f"{label}, seed {row['seed']}" if seed and row["seed"] != 1 else label


def nothing_to_show(axis, why: str) -> None:
    """Say in an empty panel why it is empty."""
    axis.text(0.5, 0.5, why, ha="center", va="center", transform=axis.transAxes, wrap=True)
    axis.set_axis_off()
