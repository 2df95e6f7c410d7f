"""Content-addressed store of labels, and of the failures worth remembering.

    <store>/<first 2 hex digits>/<key>.json   one label
    <store>/failures/<key>.json               why a frame has no label
    <store>/failures/<key>/run-N/             output kept of the N-th failed run
    <store>/locks/<key>                       empty; held while a frame is computed
    <store>/format.json                       that labels have today's keys, see `migrate`

The key of a label is a hash of species, positions, cell and of those settings of the labeler that
decide this label, so that the same calculation is never done twice, whichever selection, study or
run asks for it.
"""

import hashlib
import json
import os
import tempfile
import warnings
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms

from minset.label.access import access_told

_FORMAT = "minset-label-1"


class LabelFailed(Exception):
    """A frame for which a labeler has no label.

    Attributes
    ----------
    reason
        What went wrong, in a sentence.
    permanent
        True where the same calculation would fail again (SCF not converged, net force, NaN, stars
        for a number), False for what may pass (killed, crashed, time limit).
    output
        File or folder of the labeler's output, None where there is none.
    """

    def __init__(self, reason: str, permanent: bool, output: Path | None = None):
        super().__init__(reason)
        self.reason = reason
        self.permanent = permanent
        self.output = output


class LabelerUnusable(Exception):
    """A labeler that would give no label for any frame, such as a program of an unknown version.

    It stops a batch at once, and no frame is blamed.
    """


@dataclass(frozen=True, eq=False)
class RawLabel:
    """What a labeler returns: energy (eV), forces (n, 3) (eV/A), stress (3, 3) (eV/A^3).

    The stress has ASE's sign, positive is tension; None where the labeler has none. `info` holds
    plain values about the calculation, such as `scf_steps`, `attempts` and `version`.
    """

    energy_eV: float
    forces_eV_A: np.ndarray
    stress_eV_A3: np.ndarray | None
    info: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Label:
    """A checked label of one frame, as it lies in the store.

    `provenance` holds labeler, settings (those in the key), seconds, scf_steps, attempts, version
    and net_force_eV_A, the norm of the vector sum of all forces.
    """

    key: str
    atoms: Atoms
    energy_eV: float
    forces_eV_A: np.ndarray
    stress_eV_A3: np.ndarray | None
    provenance: dict[str, Any]


@dataclass(frozen=True)
class Failure:
    """Why a frame has no label: `settings` are all that the labeler was given, `attempts` counts
    runs of the study, `output` is relative to the store."""

    reason: str
    permanent: bool
    attempts: int
    output: str | None
    labeler: str
    settings: dict[str, Any]
    net_force_eV_A: float | None = None


def canonical_json(data: Any) -> str:
    """JSON in which equal data give equal text: sorted keys, 400 and 400.0 the same number.

    Raises
    ------
    ValueError, TypeError
        On NaN and infinity, and on what JSON cannot hold.
    """
    return json.dumps(_plain(data), sort_keys=True, separators=(",", ":"), allow_nan=False)


def _plain(data: Any) -> Any:
    if isinstance(data, Mapping):
        return {str(key): _plain(value) for key, value in data.items()}
    if isinstance(data, (list, tuple)):
        return [_plain(value) for value in data]
    if isinstance(data, int) and not isinstance(data, bool):
        return float(data)
    return data


def label_key(atoms: Atoms, labeler: str, settings: Mapping[str, Any]) -> str:
    """Key of the label of a frame: 32 hex digits of a SHA-256.

    Parameters
    ----------
    atoms
        Frame; species, positions (A), cell (A) and periodicity count, to the last bit.
    labeler
        Name of the labeler.
    settings
        What decides the label of this frame, see ``Labeler.physics``.

    Raises
    ------
    ValueError
        If a position or cell vector is not a finite number.
    """
    arrays = (
        np.asarray(atoms.numbers, dtype="<i8"),
        # adding 0.0 turns -0.0 into 0.0
        np.asarray(atoms.positions, dtype="<f8") + 0.0,
        np.asarray(atoms.cell[:], dtype="<f8") + 0.0,
        np.asarray(atoms.pbc, dtype="u1"),
    )
    if not all(np.isfinite(array).all() for array in arrays):
        raise ValueError("a frame to be labelled has positions or a cell that are not finite")
    digest = hashlib.sha256()
    digest.update(canonical_json({"labeler": labeler, "settings": settings}).encode())
    for array in arrays:
        digest.update(f"|{array.shape}|".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()[:32]


def label_path(store: Path, key: str) -> Path:
    """Place of the label of a key."""
    return Path(store) / key[:2] / f"{key}.json"


def failure_path(store: Path, key: str) -> Path:
    """Place of the record of a frame that failed; delete it to have the frame tried again."""
    return Path(store) / "failures" / f"{key}.json"


def read_label(store: Path, key: str) -> Label | None:
    """Label of a key, or None where the store has none.

    A file that is truncated, altered or that belongs to another key is moved aside to
    `<key>.json.corrupt-N` with a warning and counts as absent.

    Raises
    ------
    OSError
        If there is no access to it.
    """
    return _read(label_path(store, key), lambda document: label_of(document, key))


def read_failure(store: Path, key: str) -> Failure | None:
    """Remembered failure of a key, or None; an unreadable record is moved aside as a label is."""
    return _read(failure_path(store, key), failure_of)


def write_label(store: Path, label: Label) -> None:
    """Store a label under its key, whole or not at all; the floats round-trip exactly."""
    _write_atomically(label_path(store, label.key), label_document(label))


def label_document(label: Label) -> dict[str, Any]:
    """A label as the plain data of its file in the store, with their checksum."""
    content = {
        "key": label.key,
        "numbers": label.atoms.numbers.tolist(),
        "positions_A": label.atoms.positions.tolist(),
        "cell_A": label.atoms.cell[:].tolist(),
        "pbc": label.atoms.pbc.tolist(),
        "energy_eV": float(label.energy_eV),
        "forces_eV_A": np.asarray(label.forces_eV_A, dtype=float).tolist(),
        "stress_eV_A3": _listed(label.stress_eV_A3),
        "provenance": label.provenance,
    }
    return {"format": _FORMAT, "sha256": _content_hash(content), "label": content}


def _listed(values: np.ndarray | None) -> list | None:
    return None if values is None else np.asarray(values, dtype=float).tolist()


def write_failure(store: Path, key: str, failure: Failure) -> None:
    """Remember why the frame of a key has no label."""
    _write_atomically(failure_path(store, key), asdict(failure))


def _content_hash(content: dict) -> str:
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def label_of(document: dict[str, Any], key: str) -> Label:
    """Label of a key from its document.

    Raises
    ------
    ValueError, KeyError, TypeError
        If it does not match its checksum or the key, or is no document of a label.
    """
    if document["format"] != _FORMAT:
        raise ValueError(f"format {document['format']!r} instead of {_FORMAT!r}")
    content = document["label"]
    if document["sha256"] != _content_hash(content):
        raise ValueError("the content does not match its checksum")
    atoms = Atoms(
        numbers=content["numbers"],
        positions=np.reshape(content["positions_A"], (-1, 3)),
        cell=content["cell_A"],
        pbc=content["pbc"],
    )
    shapes = {"energy_eV": (), "forces_eV_A": (len(atoms), 3), "stress_eV_A3": (3, 3)}
    if content["stress_eV_A3"] is None:
        del shapes["stress_eV_A3"]
    for name, shape in shapes.items():
        value = np.asarray(content[name])
        if value.dtype.kind not in "fi" or value.shape != shape:
            raise ValueError(f"{name} is not made of {shape} numbers")
    provenance = content["provenance"]
    if label_key(atoms, provenance["labeler"], provenance["settings"]) != key:
        raise ValueError("the content belongs to another key")
    return Label(
        key=key,
        atoms=atoms,
        energy_eV=content["energy_eV"],
        forces_eV_A=np.array(content["forces_eV_A"]),
        stress_eV_A3=np.array(content["stress_eV_A3"]) if "stress_eV_A3" in shapes else None,
        provenance=provenance,
    )


def failure_of(document: dict[str, Any]) -> Failure:
    """Failure from its document; ValueError, KeyError or TypeError if it is none."""
    failure = Failure(**document)
    texts = (failure.reason, failure.labeler, failure.output or "")
    if not all(isinstance(text, str) for text in texts) or type(failure.permanent) is not bool:
        raise ValueError("reason, labeler, output or permanent are not of their kinds")
    if type(failure.attempts) is not int or not isinstance(failure.settings, dict):
        raise ValueError("attempts or settings are not of their kinds")
    net = failure.net_force_eV_A
    if net is not None and (type(net) not in (int, float) or not abs(net) < 1e300):
        raise ValueError("net_force_eV_A is not a number")
    canonical_json(failure.settings)
    return failure


def _read(path: Path, build):
    try:
        with access_told(path):
            text = path.read_bytes()
    except FileNotFoundError:
        return None
    try:
        return build(json.loads(text))
    except Exception as error:  # JSON of unknown content has many ways to be wrong
        aside = _set_aside(path)
        warnings.warn(
            f"{path} is damaged ({error}); moved to {aside.name} and treated as absent",
            stacklevel=3,
        )
        return None


def _set_aside(path: Path) -> Path:
    number = 1
    while (aside := path.with_name(f"{path.name}.corrupt-{number}")).exists():
        number += 1
    path.rename(aside)
    return aside


def _write_atomically(path: Path, document: dict) -> None:
    """Write JSON beside its place, to the disk, then rename: a reader sees all of it or nothing."""
    text = json.dumps(document, indent=1, allow_nan=False)
    with access_told(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        place = {"dir": path.parent, "prefix": f".{path.stem}-", "suffix": ".part"}
        handle, temporary = tempfile.mkstemp(**place)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        # mkstemp makes the file private; others of the group read the store too
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
