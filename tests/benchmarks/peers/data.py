"""The labelled frames that all contestants get: KCl, 32 ions, PBE-D3, published with this repository."""

from pathlib import Path

import ase.io
import numpy as np
import pandas as pd
from ase import Atoms

LABELS = "results/published/kcl-dft-laptop"


def labelled(repository: Path) -> dict[str, list[Atoms]]:
    """Frames by role: ``test``, ``validation``, and ``pool``, all others of the pool that have labels.

    Energies (eV), forces (eV/A) and stresses (eV/A^3) are on the calculators. Frames of certificates
    come from a model's own run and are left out.
    """
    folder = repository / LABELS
    frames = {a.info["label"]["key"]: a for a in ase.io.read(folder / "labels.extxyz", ":")}
    rows = pd.read_csv(folder / "selection.csv")
    rows = rows[~rows["set"].str.startswith("certificate/")].drop_duplicates("key")
    roles = rows["role"].where(rows["set"] == "held_out", "pool")
    return {
        role: [frames[key] for key in rows["key"][roles == role]]
        for role in ("test", "validation", "pool")
    }


def training_frames(pool: list[Atoms], size: int, seed: int) -> list[Atoms]:
    """The first frames of a random order: smaller sets of a seed are parts of its larger ones.

    Raises
    ------
    ValueError
        If there are not so many.
    """
    if size > len(pool):
        raise ValueError(f"{size} training frames are wanted, and {len(pool)} have labels")
    return [pool[k] for k in np.random.default_rng(seed).permutation(len(pool))[:size]]
