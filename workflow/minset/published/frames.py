"""Labelled frames as extended XYZ from which the label store's own files come back, to the last bit.

ASE and what else reads extended XYZ find energy (eV), forces (eV/A) and stress (eV/A^3) where they
expect them; ``label`` of a frame is JSON with its key, the labeler, its settings and what the
calculation took. All numbers have as many digits as they need to be read as the same ones.
"""

import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import asdict, replace
from io import StringIO
from itertools import islice
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.calculators.calculator import PropertyNotImplementedError

from minset.label.access import access_told
from minset.label.store import Failure, Label, canonical_json, failure_of, label_document, label_of

LABELS, FAILURES = "labels.extxyz", "failures.extxyz"
# of the machine that computed, and in no key
_ASIDE = ("command",)
_KEY = re.compile(r'\\"key\\": \\"([0-9a-f]{32})\\"')


def label_text(label: Label) -> str:
    """A frame of labels.extxyz."""
    kept = {key: value for key, value in label.provenance.items() if key not in _ASIDE}
    stress = label.stress_eV_A3
    # readers take a stress for symmetric, as ours are
    stress = None if stress is None else (stress + stress.T) / 2
    document = label_document(replace(label, provenance=kept, stress_eV_A3=stress))
    about = {"key": label.key, **kept, "sha256": document["sha256"]}
    results = {"energy": _number(label.energy_eV)}
    if stress is not None:
        results["stress"] = f'"{_numbers(stress)}"'
    return _text(label.atoms, results, {"label": about}, np.asarray(label.forces_eV_A))


def failure_text(key: str, atoms: Atoms, failure: Failure, effort: frozenset[str]) -> str:
    """A frame of failures.extxyz.

    Commands and folders, the words among the settings that are ``effort``, stay with the machine.
    """
    given = failure.settings.items()
    settings = {k: v for k, v in given if not (k in effort and isinstance(v, str))}
    about = asdict(replace(failure, settings=settings, output=None))
    about = {"key": key} | {k: v for k, v in about.items() if k != "output"}
    return _text(atoms, {}, {"failure": about | {"sha256": _checksum(about)}})


def _checksum(about: dict) -> str:
    return hashlib.sha256(canonical_json(about).encode()).hexdigest()


def geometry_text(atoms: Atoms, info: dict) -> str:
    """A frame without label, with what ``info`` says of it: numbers and texts."""
    return _text(atoms, {k: _number(v) for k, v in info.items() if isinstance(v, float)}, {})


def _text(atoms: Atoms, results: dict, about: dict, forces: np.ndarray | None = None) -> str:
    columns = "species:S:1:pos:R:3" + (":forces:R:3" if forces is not None else "")
    header = {"Lattice": f'"{_numbers(atoms.cell[:])}"', "Properties": columns, **results}
    header["pbc"] = f'"{" ".join("T" if periodic else "F" for periodic in atoms.pbc)}"'
    for name, value in about.items():
        escaped = json.dumps(value, allow_nan=False).replace("\\", "\\\\").replace('"', '\\"')
        header[name] = f'"_JSON {escaped}"'
    rows = atoms.positions if forces is None else np.hstack([atoms.positions, forces])
    lines = [f"{s} {_numbers(row)}" for s, row in zip(atoms.symbols, rows, strict=True)]
    first = " ".join(f"{key}={value}" for key, value in header.items())
    return "\n".join([str(len(atoms)), first, *lines]) + "\n"


def _number(value: float) -> str:
    return repr(float(value))


def _numbers(values) -> str:
    return " ".join(map(_number, np.ravel(values)))


def read_blocks(path: Path) -> dict[str, str]:
    """Text of each frame of a file of published labels or failures, by its key; none without a file.

    Raises
    ------
    ValueError
        If the file is cut short, or has a frame twice or without a key.
    OSError
        If there is no access to it.
    """
    blocks: dict[str, str] = {}
    try:
        with access_told(path), open(path, encoding="utf-8") as file:
            while count := file.readline():
                lines = [count, *islice(file, int(count) + 1)]
                found = _KEY.search(lines[1]) if len(lines) == int(count) + 2 else None
                if found is None or found[1] in blocks or not lines[-1].endswith("\n"):
                    raise ValueError(f"frame {len(blocks)} is cut short, or its key is not its own")
                blocks[found[1]] = "".join(lines)
    except FileNotFoundError:
        return {}
    except (ValueError, IndexError) as error:
        raise damaged(path, error) from error
    return blocks


def damaged(path: Path, reason) -> ValueError:
    """What is to be done about a published file that is not as it was written."""
    return ValueError(
        f"{path} is damaged or was changed ({reason}): restore it (`git checkout {path}`), or take "
        "`published` out of the study"
    )


def label_of_block(path: Path, key: str, block: str) -> Label:
    """Label of a key from its frame of labels.extxyz.

    Raises
    ------
    ValueError
        If a number is another than the one that was published, or the label belongs to another key.
    """
    try:
        frame = _frame(block)
        about = dict(frame.info["label"])
        named, sha256 = about.pop("key"), about.pop("sha256")
        if named != key:
            raise ValueError(f"it names {named}")
        try:
            stress = frame.get_stress(voigt=False)
        except PropertyNotImplementedError:
            stress = None
        energy, forces = float(frame.get_potential_energy()), frame.get_forces()
        document = label_document(Label(key, _bare(frame), energy, forces, stress, about))
        return label_of(document | {"sha256": sha256}, key)
    except Exception as error:  # ASE raises many kinds
        raise damaged(path, f"label {key}: {error}") from error


def failure_of_block(path: Path, key: str, block: str) -> Failure:
    """Failure of a key from its frame of failures.extxyz; ValueError as for labels."""
    try:
        about = dict(_frame(block).info["failure"])
        if about.pop("sha256") != _checksum(about) or about.pop("key") != key:
            raise ValueError("the content does not match its checksum or its key")
        return failure_of(about | {"output": None})
    except Exception as error:
        raise damaged(path, f"failure {key}: {error}") from error


def published_frames(folder: Path, keys: list[str]) -> list[Atoms]:
    """Geometries of published labels or failures by key, for frames that are in no pool.

    Raises
    ------
    ValueError
        If a file is damaged, or one has no such frame.
    """
    places = [Path(folder) / name for name in (LABELS, FAILURES)]
    known = {key: (path, block) for path in places for key, block in read_blocks(path).items()}
    if missing := [key for key in keys if key not in known]:
        raise ValueError(
            f"{folder} has neither label nor failure of {missing[0]}, a frame that is in no pool: take "
            "`published` out of the study, or publish it when its labels are there"
        )
    return [geometry_of_block(known[key][0], key, known[key][1]) for key in keys]


def geometry_of_block(path: Path, key: str, block: str) -> Atoms:
    """Species, positions and cell of a published frame."""
    try:
        return _bare(_frame(block))
    except Exception as error:
        raise damaged(path, f"frame {key}: {error}") from error


def _frame(block: str) -> Atoms:
    import ase.io

    return ase.io.read(StringIO(block), index=0, format="extxyz")


def _bare(frame: Atoms) -> Atoms:
    return Atoms(frame.numbers, positions=frame.positions, cell=frame.cell, pbc=frame.pbc)


def geometry_hash(frames: Iterable[Atoms]) -> str:
    """SHA-256 of species, positions (A), cells (A) and periodicity of some frames, to the last bit."""
    digest = hashlib.sha256()
    for frame in frames:
        digest.update(f"|{len(frame)}|".encode())
        digest.update(np.asarray(frame.numbers, dtype="<i8").tobytes())
        for array in (frame.positions, frame.cell[:]):
            digest.update((np.asarray(array, dtype="<f8") + 0.0).tobytes())
        digest.update(np.asarray(frame.pbc, dtype="u1").tobytes())
    return digest.hexdigest()
