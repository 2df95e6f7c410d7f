"""Figure of the certificates: models beside their labels."""

import pandas as pd

from minset.figures.style import (
    COLORS,
    engine_label,
    legend_below,
    nothing_to_show,
    panels,
)
from minset.names import shown_engines

# what is compared on test frames and on frames of the model's own run
_ERRORS = {
    "force_rmse": r"force RMSE / eV $\mathrm{\AA}^{-1}$",
    "energy_bias": "energy bias / meV per atom",
}
# means of the run, which the labels would have otherwise
_MEANS = {"density": r"density / g cm$^{-3}$", "pressure": "pressure / bar"}
_COLUMNS = (
    *("difference", "difference_stderr", "test_set", "tolerance"),
    *("model", "model_stderr", "labels", "labels_stderr"),
)


def certificate(system: dict, files: dict, tables: list):
    """Errors of each model on its own run beside the test set, and density or pressure by its labels."""
    table = pd.read_csv(files["certificate"])
    missing = [column for column in _COLUMNS if column not in table]
    table[missing] = float("nan")  # all simulations broke, or all certificates are undecided
    known = table[["model", "difference"]].notna().any(axis=1)
    table = table[table["quantity"].isin({**_ERRORS, **_MEANS}) & known]
    table = table[table["engine"].isin(shown_engines(table["engine"]))]
    groups = list(table.groupby(["simulation", "quantity"], sort=False))
    columns = min(3, max(1, len(groups)))
    figure, axes = panels(columns, max(1, -(-len(groups) // columns)), height_inch=3.6)
    if not groups:
        nothing_to_show(axes[0], "no simulation was stable")
    for axis, ((simulation, quantity), rows) in zip(axes, groups, strict=False):
        if quantity in _ERRORS:
            _band(axis, rows, 0.0)
            _points(axis, rows, "test_set", None, "test set", 0)
            _points(axis, rows, "difference", "difference_stderr", "its own run", 1)
        else:
            _band(axis, rows, rows["model"])
            _points(axis, rows, "model", "model_stderr", "model", 2)
            _points(axis, rows, "labels", "labels_stderr", "labels", 1)
        if quantity == "force_rmse":
            axis.set_ylim(bottom=0)
        _name(axis, rows)
        axis.set(ylabel={**_ERRORS, **_MEANS}[quantity], title=simulation)
    for axis in axes[max(1, len(groups)) :]:
        axis.set_axis_off()
    shown = [axis.get_legend_handles_labels() for axis in axes]
    handles = {text: handle for pair in shown for handle, text in zip(*pair, strict=True)}
    legend_below(figure, list(handles.values()))
    figure.suptitle(f"{system['name']}: what labels of its own run say of each model")
    return figure


def _band(axis, rows: pd.DataFrame, middle) -> None:
    """Tolerance about a value of each model."""
    places = range(len(rows))
    axis.bar(
        places,
        2 * rows["tolerance"],
        0.5,
        bottom=middle - rows["tolerance"],
        color="#DDDDDD",
        zorder=0,
        label="tolerance",
    )


def _points(
    axis, rows: pd.DataFrame, column: str, stderr: str | None, name: str, color: int
) -> None:
    """A value of each model, where it is known, with two standard errors."""
    aside = 0.12 if column in ("difference", "labels") else -0.12
    known = rows[column].notna().to_numpy()
    if not known.any():
        return
    places = (pd.Series(range(len(rows))) + aside)[known]
    error = 2 * rows[stderr][known] if stderr else None
    axis.errorbar(
        places, rows[column][known], error, fmt="os^"[color], ms=4, color=COLORS[color], label=name
    )


def _name(axis, rows: pd.DataFrame) -> None:
    """Models under their places."""
    names = [engine_label(engine).replace(", ", "\n") for engine in rows["engine"]]
    if len(names) > 3:
        names = [name.replace("\n", ", ") for name in names]
        axis.tick_params(axis="x", rotation=90)
    axis.set_xticks(range(len(names)), names, fontsize=6)
    axis.set(xlim=(-0.6, len(rows) - 0.4))
