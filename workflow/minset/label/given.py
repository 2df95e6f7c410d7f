"""Labeler ``given``: energies, forces and stresses that the user's frames have."""

import hashlib
from pathlib import Path

import numpy as np
from ase import Atoms

from minset.label.record import Labeler
from minset.label.store import LabelFailed, RawLabel


def settings_of(system: dict, given: dict) -> dict:
    """None: the frames have all."""
    return {}


def mistakes(system: dict, given: dict) -> list[str]:
    """None that a system could tell."""
    return []


def physics(settings: dict, atoms: Atoms) -> dict:
    """Hash of what is given for this very frame, so that corrected labels are other labels."""
    known = atoms.calc.results if atoms.calc else {}
    digest = hashlib.sha256()
    for name in ("energy", "forces", "stress"):
        if name in known:
            digest.update(name.encode() + np.asarray(known[name], dtype="<f8").tobytes())
    return {"given_sha256": digest.hexdigest()}


def label(atoms: Atoms, settings: dict, workdir: Path, threads: int) -> RawLabel:
    """What a frame has on its calculator: eV, eV/A and, maybe, eV/A^3.

    Raises
    ------
    LabelFailed
        If energy or forces are not there.
    """
    known = atoms.calc.results if atoms.calc else {}
    if missing := [name for name in ("energy", "forces") if name not in known]:
        raise LabelFailed(
            f"its file gives no {' and no '.join(missing)}; name their keys by pool.energy_key and "
            "pool.forces_key, or label with a DFT code",
            permanent=True,
        )
    return RawLabel(
        energy_eV=float(known["energy"]),
        forces_eV_A=atoms.get_forces(),
        stress_eV_A3=atoms.get_stress(voigt=False) if "stress" in known else None,
        info={"version": "given"},
    )


RECORD = Labeler(
    name="given",
    label=label,
    options={},
    settings_of=settings_of,
    physics=physics,
    mistakes=mistakes,
    environment="minset",
    seconds=lambda settings, ions: 1e-4 * ions,
    megabytes=lambda settings, ions: 0.1 * ions,
    of_frame=frozenset({"given_sha256"}),
    needs_labels=True,
)
