"""Labeler ``potential``: a potential that needs no training, for studies of the method without DFT."""

from pathlib import Path

import numpy as np
from ase import Atoms

from minset.label.record import Labeler
from minset.label.store import RawLabel
from minset.units import BAR_EV_A3

# of a value of a potential, where its files are; what is in them is told by the hash
_PLACES = {"file", "files"}
OPTIONS = {
    "potential": {
        "type": "string",
        "description": "One of the system's potentials, by its name; the first of them when absent",
    },
}


def settings_of(system: dict, given: dict) -> dict:
    """Settings for a system: the potential's value, and the charges of all species in e.

    Parameters
    ----------
    system
        Content of a system file.
    given
        The study's ``labels.settings``, in which ``mistakes`` finds none.
    """
    potentials = system["potentials"]
    name = given.get("potential", next(iter(potentials)))
    charges = {symbol: s.get("charge", 0.0) for symbol, s in system["species"].items()}
    return {"potential": potentials[name], "charges": charges}


def mistakes(system: dict, given: dict) -> list[str]:
    """What is wrong with the study's ``labels.settings`` in view of a system file."""
    potentials, where = system.get("potentials", {}), system.get("name", "the system")
    if not potentials:
        return [f"labels.labeler: potential needs an entry of `potentials` in the file of {where}"]
    name = given.get("potential", next(iter(potentials)))
    if name in potentials:
        return []
    known = ", ".join(potentials)
    return [f"labels.settings.potential: {where} has no potential {name!r}; choose from {known}"]


def physics(settings: dict, atoms: Atoms) -> dict:
    """The potential's value and the charges, of the frame's elements only, files by their hash."""
    elements = set(atoms.get_chemical_symbols())
    value = {key: v for key, v in settings["potential"].items() if key not in _PLACES}
    if "pairs" in value:
        # K-Cl and Cl-K are the same pair
        pairs = {"-".join(sorted(name.split("-"))): p for name, p in value["pairs"].items()}
        value["pairs"] = {name: p for name, p in pairs.items() if set(name.split("-")) <= elements}
    charges = {symbol: q for symbol, q in settings["charges"].items() if symbol in elements}
    return {"potential": value, "charges": charges}


def label(atoms: Atoms, settings: dict, workdir: Path, threads: int) -> RawLabel:
    """Energy, forces and stress of one frame.

    Parameters
    ----------
    atoms
        Frame, periodic in three directions.
    settings
        From ``settings_of``.
    """
    from minset.md.session import classical_commands, gather, load_atoms, open_lammps

    value = settings["potential"]
    species = {
        symbol: {"charge": charge, "mass_u": 1.0, "count": 1}
        for symbol, charge in settings["charges"].items()
    }
    system = {"species": species, "potential": {"pairs": value["pairs"]}}
    lmp = open_lammps()
    load_atoms(lmp, atoms, system)
    name = "bmhtf-published-sign" if value["published_sign"] else "bmhtf"
    for command in classical_commands(system, name):
        lmp.command(command)
    lmp.command("thermo_style custom step pe pxx pyy pzz pxy pxz pyz")
    lmp.command("run 0")
    pressure = [lmp.get_thermo(k) for k in ("pxx", "pyy", "pzz", "pyz", "pxz", "pxy")]
    xx, yy, zz, yz, xz, xy = -np.array(pressure) * BAR_EV_A3
    raw = RawLabel(
        energy_eV=float(lmp.get_thermo("pe")),
        forces_eV_A=gather(lmp, "f", 3),
        stress_eV_A3=np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]]),
        info={"version": f"LAMMPS {lmp.version()}"},
    )
    lmp.close()
    return raw


def seconds(settings: dict, ions: int) -> float:
    """Time of one frame."""
    return ions * 5e-3


def megabytes(settings: dict, ions: int) -> float:
    """Memory of one calculation."""
    return 0.1 * ions


RECORD = Labeler(
    name="potential",
    label=label,
    options=OPTIONS,
    settings_of=settings_of,
    physics=physics,
    mistakes=mistakes,
    environment="minset",
    seconds=seconds,
    megabytes=megabytes,
)
