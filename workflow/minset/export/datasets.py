"""Labelled frames in the formats that other training codes read.

A new format is a function that writes the parts of a dataset into a folder, and one line in ``FORMATS``.
"""

from collections.abc import Callable
from pathlib import Path

import ase.db
import ase.io
import numpy as np
from ase import Atoms
from ase.data import chemical_symbols
from ase.db.row import AtomsRow

from minset.dataset import write_dataset
from minset.files import write_text, written_aside
from minset.units import BOHR_A, HARTREE_EV

Parts = dict[str, list[Atoms]]
"""Frames of ``train``, ``validation`` and ``test``"""
REF = "REF_"


def write_extxyz(parts: Parts, folder: Path) -> None:
    """Extended XYZ with ``energy``, ``forces`` and ``stress``, a file for each part."""
    for part, frames in parts.items():
        write_dataset(folder / f"{part}.extxyz", frames)


def write_ref_extxyz(parts: Parts, folder: Path) -> None:
    """The same under names that ASE's reader leaves alone, as MACE wants them."""
    for part, frames in parts.items():
        renamed = []
        for frame in frames:
            copy, results = frame.copy(), frame.calc.results
            copy.info[f"{REF}energy"] = results["energy"]
            copy.arrays[f"{REF}forces"] = results["forces"]
            if "stress" in results:
                copy.info[f"{REF}stress"] = frame.get_stress(voigt=False)
            renamed.append(copy)
        with written_aside(folder / f"{part}-ref.extxyz") as aside:
            ase.io.write(aside, renamed, format="extxyz")


def write_deepmd(parts: Parts, folder: Path) -> None:
    """DeePMD-kit's systems, ``<part>/<formula>/``: npy of double precision, in eV, A and eV.

    Frames of the same elements in the same numbers are one system; their atoms are sorted by atomic
    number. ``virial`` is -dE/dstrain, and only where all frames know it.
    """
    elements = sorted({int(z) for frames in parts.values() for f in frames for z in f.numbers})
    names = "".join(f"{chemical_symbols[z]}\n" for z in elements)
    for part, frames in parts.items():
        for formula, alike in _by_formula(frames).items():
            system = folder / part / formula
            kinds = np.searchsorted(elements, np.sort(alike[0].numbers))
            write_text(system / "type.raw", "".join(f"{kind}\n" for kind in kinds))
            write_text(system / "type_map.raw", names)
            for name, values in _deepmd_arrays(alike).items():
                with written_aside(system / "set.000" / f"{name}.npy") as aside:
                    np.save(aside, values)


def _by_formula(frames: list[Atoms]) -> dict[str, list[Atoms]]:
    alike: dict[str, list[Atoms]] = {}
    for frame in frames:
        alike.setdefault(frame.get_chemical_formula(mode="hill"), []).append(frame)
    return alike


def _deepmd_arrays(frames: list[Atoms]) -> dict[str, np.ndarray]:
    """Arrays of a system, a row for each frame."""
    orders = [np.argsort(f.numbers, kind="stable") for f in frames]
    count, pairs = len(frames), list(zip(frames, orders, strict=True))
    arrays = {
        "box": np.array([f.cell[:] for f in frames]).reshape(count, 9),
        "coord": np.array([f.positions[order] for f, order in pairs]).reshape(count, -1),
        "energy": np.array([f.calc.results["energy"] for f in frames], dtype=float),
        "force": np.array([f.calc.results["forces"][o] for f, o in pairs]).reshape(count, -1),
    }
    if all("stress" in f.calc.results for f in frames):
        virials = [-f.cell.volume * f.get_stress(voigt=False) for f in frames]
        arrays["virial"] = np.array(virials).reshape(count, 9)
    return arrays


def write_n2p2(parts: Parts, folder: Path) -> None:
    """n2p2's and RuNNer's ``input.data`` in Bohr and Hartree, a file for each part."""
    for part, frames in parts.items():
        write_text(folder / f"input.data.{part}", "".join(map(_n2p2_block, frames)))


def _n2p2_block(frame: Atoms) -> str:
    results = frame.calc.results
    lines = ["begin", f"comment {frame.info.get('label_key', '')}".rstrip()]
    lines += [f"lattice {_numbers(vector / BOHR_A)}" for vector in frame.cell[:]]
    rows = zip(
        frame.positions / BOHR_A,
        frame.symbols,
        results["forces"] * BOHR_A / HARTREE_EV,
        strict=True,
    )
    lines += [f"atom {_numbers(r)} {symbol} 0.0 0.0 {_numbers(f)}" for r, symbol, f in rows]
    lines += [f"energy {_numbers([results['energy'] / HARTREE_EV])}", "charge 0.0", "end"]
    return "\n".join(lines) + "\n"


def _numbers(values) -> str:
    return " ".join(f"{float(v):.15g}" for v in values)


def write_ase_db(parts: Parts, folder: Path) -> None:
    """One ASE database, with ``part`` as a key; schnetpack's own datasets are another format."""
    path = folder / "data.db"
    with (
        written_aside(path) as aside,
        ase.db.connect(aside, append=False, use_lock_file=False) as database,
    ):
        for part, frames in parts.items():
            for frame in frames:
                row = AtomsRow(frame)
                row.ctime, row.user = 0.0, ""  # or the file would have the name of a person
                database.write(row, part=part, label_key=str(frame.info.get("label_key", "")))


FORMATS: dict[str, Callable[[Parts, Path], None]] = {
    "extxyz": write_extxyz,
    "ref": write_ref_extxyz,
    "deepmd": write_deepmd,
    "n2p2": write_n2p2,
    "ase": write_ase_db,
}
"""Name of the folder of each format"""


def write_all(parts: Parts, folder: Path) -> None:
    """Every format in a folder of its own below ``folder``."""
    for name, write in FORMATS.items():
        write(parts, folder / name)
