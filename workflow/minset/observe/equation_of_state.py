"""Energy against volume of crystals, and the bulk modulus, by Birch and Murnaghan's equation of state."""

import warnings

import numpy as np
import pandas as pd

from minset.crystal import STRUCTURES, crystal_needs
from minset.evaluation import Unusable
from minset.observe.crystals import (
    OF_CRYSTALS,
    EngineCalculator,
    Relaxed,
    crystal_mistakes,
    descend,
    lattice_filter,
    relaxed_crystal,
    structures_wanted,
    table_of,
)
from minset.observe.record import Observable, Table, nothing_more, without_rows
from minset.units import GPA_EV_A3

CURVE = "energy_volume"
_QUANTITIES = (
    *("energy_eV_atom", "volume_A3_atom", "bulk_modulus_GPa", "bulk_modulus_derivative"),
    "fit_rmse_meV_atom",
)


def observe_equation_of_state(source: dict, system: dict, settings: dict, threads: int = 1) -> dict:
    """Tables ``equation_of_state`` and ``energy_volume`` of a force engine, see `Observable`."""
    if reason := crystal_needs(system):
        return without_rows(RECORD.tables, reason)
    calculator = EngineCalculator(source, system, threads)
    rows, curves = [], []
    for structure in structures_wanted(system, settings):
        relaxed = relaxed_crystal(structure, system, calculator, settings)
        found, note = dict.fromkeys(_QUANTITIES, np.nan), relaxed.note
        if not note:
            curve, note = energies_at_volumes(relaxed, settings)
            if not note:
                found, note = fitted(curve)
            curves.append(curve.assign(structure=structure))
        rows.append({"structure": structure} | found | {"note": note})
    columns = ["structure", "volume_A3_atom", "energy_eV_atom", "fit_eV_atom"]
    curve = pd.concat(curves, ignore_index=True) if curves else pd.DataFrame(columns=columns)
    return {"equation_of_state": table_of(rows), CURVE: curve.reindex(columns=columns)}


def energies_at_volumes(relaxed: Relaxed, settings: dict) -> tuple[pd.DataFrame, str]:
    """Energies of a crystal at volumes around its minimum, and what was wrong.

    The ratio c/a of hcp is relaxed at each volume.

    Returns
    -------
    pd.DataFrame, str
        ``volume_A3_atom`` and ``energy_eV_atom``, the points up to where something went wrong.
    """
    reach = settings["volume_percent"] / 100
    points, note = [], ""
    for factor in np.linspace(1 - reach, 1 + reach, settings["points"]):
        atoms = relaxed.atoms.copy()
        atoms.calc = relaxed.atoms.calc
        atoms.set_cell(atoms.cell[:] * factor ** (1 / 3), scale_atoms=True)
        try:
            kind = STRUCTURES[relaxed.structure]
            if not (kind.cubic or kind.held):
                moving = lattice_filter(relaxed.structure, atoms, constant_volume=True)
                note = descend(atoms, moving, settings)
            point = Relaxed(relaxed.structure, atoms, note)
            points.append((point.volume_A3_atom, point.energy_eV_atom))
        except Unusable as error:
            note = str(error)
        if note:
            note = f"at {100 * (factor - 1):+.1f} % of the volume: {note}"
            break
    return pd.DataFrame(points, columns=["volume_A3_atom", "energy_eV_atom"]), note


def fitted(curve: pd.DataFrame) -> tuple[dict, str]:
    """Birch and Murnaghan's equation of state through a curve, and what is wrong with it.

    Parameters
    ----------
    curve
        ``volume_A3_atom`` and ``energy_eV_atom``; the column ``fit_eV_atom`` is added.
    """
    from ase.eos import EquationOfState, birchmurnaghan

    volumes, energies = curve["volume_A3_atom"].to_numpy(), curve["energy_eV_atom"].to_numpy()
    curve["fit_eV_atom"] = np.nan
    nothing = dict.fromkeys(_QUANTITIES, np.nan)
    lowest = int(np.argmin(energies))
    if not 0 < lowest < len(energies) - 1:
        return nothing, f"no minimum among the volumes: lowest at {volumes[lowest]:.2f} A^3/atom"
    equation = EquationOfState(volumes, energies, eos="birchmurnaghan")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # scipy's, of covariances that nobody reads
            v0, e0, bulk_modulus = equation.fit(warn=False)
    except RuntimeError as error:  # scipy's words
        return nothing, f"no equation of state fits: {str(error).partition('.')[0]}"
    curve["fit_eV_atom"] = birchmurnaghan(volumes, *equation.eos_parameters)
    rmse = float(np.sqrt(np.mean((curve["fit_eV_atom"] - energies) ** 2)))
    values = (e0, v0, bulk_modulus / GPA_EV_A3, equation.eos_parameters[2], 1000 * rmse)
    return dict(zip(_QUANTITIES, map(float, values), strict=True)), ""


RECORD = Observable(
    of="engine",
    tables={"equation_of_state": Table("equation_of_state"), CURVE: Table()},
    observe=observe_equation_of_state,
    caption="Equations of state (Birch and Murnaghan) of crystals, for every trained model and reference "
    "potential: energy and volume of the minimum, bulk modulus and its derivative with pressure, and how "
    "far energies are from the fit. The note says why there is none.",
    options=OF_CRYSTALS
    | {
        "volume_percent": {
            "type": "number",
            "exclusiveMinimum": 0,
            "maximum": 30,
            "default": 6,
            "description": "Volumes on either side of the minimum",
        },
        "points": {
            "type": "integer",
            "minimum": 5,
            "maximum": 101,
            "default": 11,
            "description": "Volumes",
        },
    },
    needs=crystal_needs,
    mistakes=crystal_mistakes,
    seconds=nothing_more,
    megabytes=nothing_more,
)
