"""Figures of crystals and surfaces: every trained model against the number of its frames."""

import pandas as pd
from matplotlib.lines import Line2D

from minset.figures.style import (
    LINE_COLORS,
    LINE_STYLES,
    REFERENCE,
    engine_label,
    legend_below,
    nothing_to_show,
    panels,
)
from minset.names import is_model, run_row

_ENERGY = r"energy / eV atom$^{-1}$"


def relaxation(system: dict, files: dict, tables: list):
    """Energies and volumes of relaxed crystals, a panel for each structure."""
    table = _read(files["relaxation"])
    structures = list(dict.fromkeys(table.get("structure", ())))
    figure, axes = panels(max(1, len(structures)), 2)
    handles = _styles(table)
    for column, structure in enumerate(structures):
        rows = table[table["structure"] == structure]
        zero = rows["relative_to"].iloc[0]
        above, label = "relative_energy_meV_atom", f"energy above {zero} / meV atom$^{{-1}}$"
        if structure == zero:
            above, label = "energy_eV_atom", _ENERGY
        _against_frames(axes[column], rows, above, label, handles)
        below = axes[len(structures) + column]
        volume = r"volume / $\mathrm{\AA}^3$ atom$^{-1}$"
        _against_frames(below, rows, "volume_A3_atom", volume, handles)
        axes[column].set_title(structure)
    return _finished(figure, axes, handles, f"{system['name']}: relaxed crystals", structures)


def equation_of_state(system: dict, files: dict, tables: list):
    """Energy against volume, and below it bulk moduli, a panel for each structure."""
    table = _read(files["equation_of_state"])
    structures = list(dict.fromkeys(table.get("structure", ())))
    figure, axes = panels(max(1, len(structures)), 2)
    handles = _styles(table)
    curves = [(row["engine"], pd.read_csv(path)) for path, row in tables]
    for column, structure in enumerate(structures):
        for engine, curve in curves:
            points = curve[curve["structure"] == structure]
            style = handles[_group(engine)]
            look = {"color": style.get_color(), "ls": style.get_linestyle()}
            if len(points):
                energies = 1000 * (points["energy_eV_atom"] - curve["energy_eV_atom"].min())
                width = 1.0 if is_model(engine) else 2.0
                axes[column].plot(points["volume_A3_atom"], energies, lw=width, **look)
        volume = r"volume / $\mathrm{\AA}^3$ atom$^{-1}$"
        axes[column].set(xlabel=volume, ylabel=r"energy / meV atom$^{-1}$", title=structure)
        rows = table[table["structure"] == structure]
        below = axes[len(structures) + column]
        _against_frames(below, rows, "bulk_modulus_GPa", "bulk modulus / GPa", handles)
    return _finished(figure, axes, handles, f"{system['name']}: equations of state", structures)


def surface_energy(system: dict, files: dict, tables: list):
    """Surface energies, a row of panels for atoms as cut and one for relaxed ones."""
    table = _read(files["surface_energy"])
    facets = list(dict.fromkeys(table.get("facet", ())))
    states = list(dict.fromkeys(table.get("atoms", ())))
    figure, axes = panels(max(1, len(facets)), max(1, len(states)))
    handles = _styles(table)
    places = [(state, facet) for state in states for facet in facets]
    for axis, (state, facet) in zip(axes, places, strict=False):
        rows = table[(table["facet"] == facet) & (table["atoms"] == state)]
        label = r"surface energy / J m$^{-2}$"
        _against_frames(axis, rows, "surface_energy_J_m2", label, handles)
        axis.set_title(f"{facet}, {state}")
    return _finished(figure, axes, handles, f"{system['name']}: surface energies", facets)


def elastic(system: dict, files: dict, tables: list):
    """Elastic constants, a row of panels for each structure."""
    table = _read(files["elastic"])
    structures = list(dict.fromkeys(table.get("structure", ())))
    constants = {"c11": "C11", "c12": "C12", "c44": "C44", "c_prime": "(C11 - C12)/2"}
    figure, axes = panels(len(constants), max(1, len(structures)))
    handles = _styles(table)
    places = [(structure, name) for structure in structures for name in constants]
    for axis, (structure, name) in zip(axes, places, strict=False):
        rows = table[table["structure"] == structure]
        _against_frames(axis, rows, f"{name}_GPa", f"{constants[name]} / GPa", handles)
        axis.set_title(structure)
    return _finished(figure, axes, handles, f"{system['name']}: elastic constants", structures)


def _read(path: str) -> pd.DataFrame:
    """A table of engines, with columns that say which model each is; empty where nothing was computed."""
    table = pd.read_csv(path)
    if "engine" not in table or not len(table):
        return pd.DataFrame()
    about = pd.DataFrame([run_row(e) if is_model(e) else {} for e in table["engine"]])
    return pd.concat([table, about.reindex(columns=["selector", "size", "model"])], axis=1)


def _group(engine: str) -> str:
    """What models of one colour have in common: the selector and the kind; a potential is alone."""
    if not is_model(engine):
        return engine_label(engine)
    row = run_row(engine)
    return f"{row['selector']}, {row['model']}"


def _styles(table: pd.DataFrame) -> dict[str, Line2D]:
    """Legend entries of the groups of engines in a table, by name."""
    engines = list(dict.fromkeys(table.get("engine", ())))
    handles = {}
    for models in (True, False):
        for k, group in enumerate(
            dict.fromkeys(_group(e) for e in engines if is_model(e) == models)
        ):
            color = LINE_COLORS[k % len(LINE_COLORS)] if models else REFERENCE
            style = LINE_STYLES[k // len(LINE_COLORS) if models else k]
            handles[group] = Line2D([], [], color=color, ls=style, label=group)
    return handles


def _against_frames(
    axis, rows: pd.DataFrame, column: str, label: str, handles: dict[str, Line2D]
) -> None:
    """Values against the number of training frames: dots of all members and seeds, means, deviations.

    Lines across are potentials.
    """
    known = rows.dropna(subset=column)
    models = known[known["size"].notna()]
    sizes = sorted(models["size"].unique())
    groups = list(dict.fromkeys(map(_group, models["engine"])))
    for engine, value in known.loc[known["size"].isna(), ["engine", column]].to_numpy():
        line = handles[_group(engine)]
        axis.axhline(value, color=line.get_color(), ls=line.get_linestyle(), zorder=0)
    for k, group in enumerate(groups):
        own = models[[_group(engine) == group for engine in models["engine"]]]
        shift = 0.5 * ((k + 0.5) / len(groups) - 0.5)
        of_size = own.groupby("size")[column]
        places = [sizes.index(size) + shift for size in of_size.groups]
        line = handles[group]
        look = {"color": line.get_color(), "ls": line.get_linestyle()}
        axis.errorbar(places, of_size.mean(), of_size.std(), capsize=2, lw=0.9, **look)
        dots = [sizes.index(size) + shift for size in own["size"]]
        axis.plot(dots, own[column], ".", ms=4, alpha=0.5, color=line.get_color())
    if not len(known):
        nothing_to_show(axis, "no engine has a minimum")
        return
    axis.set_xticks(range(len(sizes)), [f"{size:g}" for size in sizes])
    axis.set(xlabel="training frames", ylabel=label)
    axis.set_xlim(-0.6, max(0, len(sizes) - 1) + 0.6)


def _finished(figure, axes: list, handles: dict[str, Line2D], title: str, shown: list):
    """The figure with its legend and title; where there is nothing, with words instead."""
    if not shown:
        for axis in axes:
            nothing_to_show(axis, "the system has no crystal that is known")
    legend_below(figure, list(handles.values()))
    figure.suptitle(title)
    return figure
