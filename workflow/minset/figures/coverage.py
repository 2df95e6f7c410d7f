"""Figures of how sets of frames cover one another."""

import pandas as pd

from minset.figures.style import legend_below, panels, selector_handles, selector_styles

MOST_COLUMNS = 4


def coverage(system: dict, files: dict, tables: list):
    """Distributions of the distances to the nearest training environment, a panel per testing set."""
    rows = pd.read_csv(tables[0][0])
    rows = rows[rows["quantity"] == "log10 distance"]
    styles = selector_styles(rows["training"])
    seen = 10 ** rows["value"][rows["density"] > 0]
    figure, axes = _grid(rows["testing"].nunique())
    for axis, (testing, of_set) in zip(axes, rows.groupby("testing", sort=False), strict=False):
        for training, curve in of_set.groupby("training", sort=False):
            color, line = styles[training]
            axis.plot(10 ** curve["value"], curve["density"], color=color, ls=line)
        axis.set(
            xscale="log",
            xlim=(0.8 * seen.min(), 1.25 * seen.max()),
            xlabel="distance / standard deviations",
            ylabel="density per decade",
            title=f"testing: {testing}",
        )
    legend_below(figure, selector_handles({f"training: {k}": v for k, v in styles.items()}))
    figure.suptitle(f"{system['name']}: distance to the nearest training environment")
    return figure


def components(system: dict, files: dict, tables: list):
    """Distributions of the components, a panel each: logarithmic, as tails are what sets differ in."""
    rows = pd.read_csv(tables[0][0])
    rows = rows[rows["quantity"] != "log10 distance"]
    styles = selector_styles(rows["testing"])
    shown = list(dict.fromkeys(rows["quantity"]))[:8]
    figure, axes = _grid(len(shown))
    for axis, quantity in zip(axes, shown, strict=False):
        for name, curve in rows[rows["quantity"] == quantity].groupby("testing", sort=False):
            color, line = styles[name]
            seen = curve[curve["density"] > 0]
            axis.plot(seen["value"], seen["density"], color=color, ls=line)
        axis.set(yscale="log", xlabel=f"{quantity} / standard deviations", ylabel="density")
    legend_below(figure, selector_handles(styles))
    figure.suptitle(f"{system['name']}: components of the descriptor of atoms")
    return figure


def _grid(count: int) -> tuple:
    columns = min(count, MOST_COLUMNS)
    figure, axes = panels(columns, -(-count // columns))
    for axis in axes[count:]:
        axis.set_axis_off()
    return figure, axes
