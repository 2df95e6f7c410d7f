"""Labeler ``lammps``: the classical potential itself, for studies of the method without DFT."""

from pathlib import Path

import numpy as np
from ase import Atoms

from minset.label.store import RawLabel
from minset.md.session import classical_commands, gather, load_atoms, open_lammps
from minset.units import BAR_EV_A3

STUDY_SETTINGS = frozenset({"potential"})


def physics_settings(settings: dict) -> dict:
    """All settings: the potential's name and its parameters."""
    return settings


def label(atoms: Atoms, settings: dict, workdir: Path, threads: int) -> RawLabel:
    """Energy, forces and stress of the Tosi-Fumi potential.

    Parameters
    ----------
    settings
        ``potential`` (a name of ``minset.system.POTENTIALS``) and ``system`` (``species`` and
        ``potential`` of the system file).
    """
    system = settings["system"]
    lmp = open_lammps()
    load_atoms(lmp, atoms, system)
    for command in classical_commands(system, settings["potential"]):
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
