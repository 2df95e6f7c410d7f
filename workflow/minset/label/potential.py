"""Labeler ``potential``: a potential that needs no training, for studies of the method without DFT."""

from pathlib import Path

from ase import Atoms
from ase.data import atomic_masses, atomic_numbers

from minset.label.record import Labeler
from minset.label.store import RawLabel
from minset.potential import POTENTIALS

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
    """The potential's value and, where it needs them, the charges: of the frame's elements only,
    files by their hash."""
    elements = set(atoms.get_chemical_symbols())
    record = POTENTIALS[settings["potential"]["potential"]]
    value = {key: v for key, v in settings["potential"].items() if key not in record.aside}
    if "pairs" in value:
        # K-Cl and Cl-K are the same pair
        pairs = {"-".join(sorted(name.split("-"))): p for name, p in value["pairs"].items()}
        value["pairs"] = {name: p for name, p in pairs.items() if set(name.split("-")) <= elements}
    charges = {symbol: q for symbol, q in settings["charges"].items() if symbol in elements}
    return {"potential": value, "charges": charges if record.needs_charges else {}}


def label(atoms: Atoms, settings: dict, workdir: Path, threads: int) -> RawLabel:
    """Energy, forces and stress of a potential.

    Parameters
    ----------
    settings
        ``potential``, a potential value, and ``charges`` of the species in e; elements of ``atoms`` that
        it does not name have none.
    """
    from minset.potential.forces import single_point

    charges = settings["charges"]
    species = [*charges, *sorted(set(atoms.symbols) - set(charges))]
    system = {"species": {s: _species(s, charges) for s in species}}
    point = single_point(system | {"potential": settings["potential"]}, atoms, threads)
    return RawLabel(
        energy_eV=point.energy_eV,
        forces_eV_A=point.forces_eV_A,
        stress_eV_A3=point.stress_eV_A3,
        info={"version": point.version},
    )


def _species(symbol: str, charges: dict) -> dict:
    # no mass enters the label; LAMMPS wants one
    mass = float(atomic_masses[atomic_numbers[symbol]])
    return {"charge": charges.get(symbol, 0.0), "mass_u": mass}


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
