"""Figure of the certificates: models beside their labels."""

import pandas as pd

from minset.figures.style import COLORS, REFERENCE, engine_label, nothing_to_show, panels
from minset.names import shown_engines
from minset.system import reference_density_g_cm3

_LABELS = {
    "density": r"density / g cm$^{-3}$",
    "pressure": "pressure / bar",
    "potential_energy": "potential energy / eV per atom",
}


def certificate(system: dict, files: dict, tables: list):
    """Density, pressure and energy of each simulation by each model and by the labels."""
    table = pd.read_csv(files["certificate"])
    if "model" not in table:  # all simulations broke
        table["model"] = float("nan")
    table = table[table["quantity"].isin(_LABELS) & table["model"].notna()]
    table = table[table["engine"].isin(shown_engines(table["engine"]))]
    groups = list(table.groupby(["simulation", "quantity"], sort=False))
    columns = min(2, max(1, len(groups)))
    figure, axes = panels(columns, max(1, -(-len(groups) // columns)), height_inch=3.6)
    if not groups:
        nothing_to_show(axes[0], "no simulation was stable")
    for axis, ((simulation, quantity), rows) in zip(axes, groups, strict=False):
        _panel(axis, rows)
        if quantity == "density":
            _experiment(axis, system["density"], rows["temperature_K"].iloc[0])
        axis.set(ylabel=_LABELS[quantity], title=simulation)
        axis.legend(fontsize=6)
    for axis in axes[max(1, len(groups)) :]:
        axis.set_axis_off()
    figure.suptitle(f"{system['name']}: models and their labels")
    return figure


def _panel(axis, rows: pd.DataFrame) -> None:
    """A quantity by the models, and by the labels beside them."""
    places = range(len(rows))
    labels = rows["labels"] if "labels" in rows else pd.Series(float("nan"), rows.index)
    middle = labels.fillna(rows["model"])
    axis.errorbar(
        places, middle, rows["tolerance"], fmt="none", elinewidth=9, color="#DDDDDD", zorder=0
    )
    axis.errorbar(
        places, rows["model"], rows["model_stderr"], fmt="o", ms=4, color=COLORS[0], label="model"
    )
    if labels.notna().any():
        axis.errorbar(
            [x + 0.2 for x in places],
            labels,
            rows["labels_stderr"],
            fmt="s",
            ms=4,
            color=COLORS[1],
            label="labels",
        )
    names = [engine_label(engine).replace(", ", "\n") for engine in rows["engine"]]
    if len(names) > 3:
        names = [name.replace("\n", ", ") for name in names]
        axis.tick_params(axis="x", rotation=90)
    axis.set_xticks(list(places), names, fontsize=6)
    axis.set(xlim=(-0.6, len(rows) - 0.2))


def _experiment(axis, fits: list[dict], temperature_K: float) -> None:
    """Lines of the density fits that hold at a temperature."""
    for fit, style in zip(fits, ("-", "--", ":"), strict=False):
        value = float(reference_density_g_cm3(fit, temperature_K))
        if value == value:  # NaN beyond its range
            axis.axhline(
                value, ls=style, color=REFERENCE, lw=0.8, label=f"experiment ({fit['name']})"
            )
