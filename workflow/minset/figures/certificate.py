"""Figure of the certificates: models beside their labels."""

import pandas as pd

from minset.figures.style import (
    COLORS,
    REFERENCE,
    engine_label,
    legend_below,
    nothing_to_show,
    panels,
)
from minset.names import shown_engines
from minset.system import reference_density_g_cm3

_LABELS = {
    "density": r"density / g cm$^{-3}$",
    "pressure": "pressure / bar",
    # what is known of an energy is by how much it is off
    "potential_energy": "energy less the model's / meV per atom",
}
_OF_VALUE = ("model", "model_stderr", "labels", "labels_stderr", "tolerance")


def certificate(system: dict, files: dict, tables: list):
    """Density, pressure and energy of each simulation by each model and by the labels."""
    table = pd.read_csv(files["certificate"])
    missing = [column for column in _OF_VALUE if column not in table]
    table[missing] = float("nan")  # all simulations broke, or all certificates are undecided
    table = table[table["quantity"].isin(_LABELS) & table["model"].notna()]
    table = table[table["engine"].isin(shown_engines(table["engine"]))]
    groups = list(table.groupby(["simulation", "quantity"], sort=False))
    columns = min(2, max(1, len(groups)))
    figure, axes = panels(columns, max(1, -(-len(groups) // columns)), height_inch=3.6)
    if not groups:
        nothing_to_show(axes[0], "no simulation was stable")
    for axis, ((simulation, quantity), rows) in zip(axes, groups, strict=False):
        _panel(axis, _relative(rows) if quantity == "potential_energy" else rows)
        if quantity == "density":
            _experiment(axis, system["density"], rows["temperature_K"].iloc[0])
        axis.set(ylabel=_LABELS[quantity], title=simulation)
    for axis in axes[max(1, len(groups)) :]:
        axis.set_axis_off()
    shown = [axis.get_legend_handles_labels() for axis in axes]
    handles = {text: handle for pair in shown for handle, text in zip(*pair, strict=True)}
    legend_below(figure, list(handles.values()))
    figure.suptitle(f"{system['name']}: models and their labels")
    return figure


def _relative(rows: pd.DataFrame) -> pd.DataFrame:
    """Energies in eV as meV above the model's mean."""
    values = 1000 * rows[list(_OF_VALUE)]
    for column in ("labels", "model"):
        values[column] -= 1000 * rows["model"]
    return rows.assign(**values)


def _panel(axis, rows: pd.DataFrame) -> None:
    """A quantity by the models, with the tolerance, and by the labels beside them."""
    places = range(len(rows))
    given = {"elinewidth": 9, "color": "#DDDDDD", "zorder": 0, "label": "tolerance"}
    axis.errorbar(places, rows["model"], rows["tolerance"], fmt="none", **given)
    for name, shape, color, aside in (
        ("model", "o", COLORS[0], 0),
        ("labels", "s", COLORS[1], 0.2),
    ):
        if rows[name].notna().any():
            places_of = [x + aside for x in places]
            error = rows[f"{name}_stderr"]
            axis.errorbar(places_of, rows[name], error, fmt=shape, ms=4, color=color, label=name)
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
