"""Label stores of version 0.1, brought into today's form.

Version 0.1 had, in the key of a label of the classical potential, the whole species and potential
of the system file, citation included, and the labeler's name was ``lammps``. Now the key has what
decides the label of the frame. It also remembered as a frame's failure that it could not read the
output of CP2K 2025. Labels of CP2K have kept their keys.
"""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from ase import Atoms

from minset.files import write_json
from minset.label import potential
from minset.label.access import access_told, lock
from minset.label.store import (
    label_key,
    read_failure,
    read_label,
    write_failure,
    write_label,
)

_FORM = {"labels": 2}
_OLD_LABELER, _LABELER = "lammps", "potential"
_OLD_POTENTIALS = {"bmhtf": False, "bmhtf-published-sign": True}
_UNREAD_OUTPUT = "in CP2K's output; minset reads that of CP2K 8.1 to"


def migrate(store: Path, log: Callable[[str], None] = print) -> None:
    """Bring a store into today's form, once; no label and no failure is lost, however it ends.

    A label is written under its new key before the old file goes, so a kill leaves either or both,
    and the next call goes on. Damaged labels are set aside as when they are read. A failure of
    the classical potential stays where it is: its record has no frame, from which the new key
    would follow, and the frame is tried once more.

    Parameters
    ----------
    store
        Label store; other processes may call this at the same time.
    log
        Takes a line on what was done.

    Raises
    ------
    ValueError
        If a later version of minset has been at work in the store.
    """
    store = Path(store)
    if _is_current(store):
        return
    with lock(store, "form", wait=True):
        if _is_current(store):
            return
        with access_told(store):
            labels = sorted(store.glob("??/*.json"))
            failures = sorted(store.glob("failures/*.json"))
        moved = sum(_moved(store, path) for path in labels)
        freed = sum(_freed(store, path.stem) for path in failures)
        with access_told(store):
            write_json(_marker(store), _FORM)
    if moved:
        log(f"{moved} label(s) that version 0.1 made of the classical potential have today's keys")
    if freed:
        log(f"{freed} frame(s) whose CP2K output version 0.1 could not read may be tried again")


def _marker(store: Path) -> Path:
    return store / "format.json"


def _is_current(store: Path) -> bool:
    try:
        with access_told(_marker(store)):
            form = json.loads(_marker(store).read_bytes())
    except FileNotFoundError:
        return False
    except ValueError:  # damaged; what follows can be done twice
        return False
    if form != _FORM:
        raise ValueError(
            f"{_marker(store)} says {form} instead of {_FORM}: a later version of minset has been at "
            "work in this label store; use that version, or a store of your own"
        )
    return True


def _moved(store: Path, path: Path) -> bool:
    """Move a label to its new key, if it is an old one of the classical potential."""
    label = read_label(store, path.stem)
    if label is None or label.provenance["labeler"] != _OLD_LABELER:
        return False
    settings = _settings_now(label.provenance["settings"], label.atoms)
    if settings is None:
        return False
    key = label_key(label.atoms, _LABELER, settings)
    provenance = label.provenance | {"labeler": _LABELER, "settings": settings}
    if read_label(store, key) is None:
        write_label(store, replace(label, key=key, provenance=provenance))
    path.unlink()
    return True


def _settings_now(settings: dict, atoms: Atoms) -> dict | None:
    """Today's settings in the key for those of version 0.1; None for any others."""
    if set(settings) != {"potential", "system"} or settings["potential"] not in _OLD_POTENTIALS:
        return None
    value = {
        "potential": "tosi_fumi",
        "pairs": settings["system"]["potential"]["pairs"],
        "published_sign": _OLD_POTENTIALS[settings["potential"]],
    }
    charges = {symbol: s["charge"] for symbol, s in settings["system"]["species"].items()}
    return potential.physics({"potential": value, "charges": charges}, atoms)


def _freed(store: Path, key: str) -> bool:
    """Let a frame be tried again that failed because the output of its CP2K was not read."""
    failure = read_failure(store, key)
    if failure is None or not failure.permanent or _UNREAD_OUTPUT not in failure.reason:
        return False
    write_failure(store, key, replace(failure, permanent=False))
    return True
