"""Published labels taken into a label store."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from ase import Atoms

from minset.label.access import lock, open_store
from minset.label.migrate import migrate
from minset.label.record import Labeler
from minset.label.store import (
    Failure,
    label_key,
    read_failure,
    read_label,
    write_failure,
    write_label,
)
from minset.published.frames import (
    FAILURES,
    LABELS,
    failure_of_block,
    geometry_hash,
    geometry_of_block,
    label_of_block,
    read_blocks,
)
from minset.published.orders import differences, require_same_labels


def take_labels(
    folder: Path,
    frames: list[Atoms],
    labeler: Labeler,
    settings: dict[str, Any],
    store: Path,
    log: Callable[[str], None] = print,
    decides: dict[str, Any] | None = None,
) -> int:
    """Put the published labels of frames, and the published failures, into a store that lacks them.

    A frame that is not published is left to the labeler. Locks, and writing whole or not at all,
    are the store's; what it has stays as it is.

    Parameters
    ----------
    folder
        What a study names as ``published``; nothing is taken where there is no such folder.
    frames
        Frames that a job labels.
    labeler, settings
        Entry of LABELERS and its complete settings.
    store
        Label store, made if it is not there.
    log
        Takes a line on what was taken.
    decides
        What decides all labels of the study, see ``minset.published.decides``. Where it is given, frames
        that are not published are refused, too, if it is not what decided those that are.

    Returns
    -------
    int
        Number of labels that were taken.

    Raises
    ------
    ValueError
        Before anything is taken, if a frame is published with other settings, with the difference, or if
        a label that is wanted is damaged or was changed.
    OSError
        If there is no access to the store or the folder.
    """
    folder, store = Path(folder), open_store(store)
    migrate(store, log)
    physics = [labeler.physics(settings, atoms) for atoms in frames]
    keys = [label_key(a, labeler.name, p) for a, p in zip(frames, physics, strict=True)]
    missing = [number for number, key in enumerate(keys) if read_label(store, key) is None]
    if not missing:
        return 0
    labels, failures = read_blocks(folder / LABELS), read_blocks(folder / FAILURES)
    wanted = dict.fromkeys(keys[n] for n in missing if keys[n] in labels)
    label = {key: label_of_block(folder / LABELS, key, labels[key]) for key in wanted}
    unknown = [n for n in missing if keys[n] not in labels and keys[n] not in failures]
    if unknown and decides is not None:
        require_same_labels(folder, decides)
    if unknown and labels:
        _require_not_otherwise(
            folder, labels, labeler.name, [(frames[n], physics[n]) for n in unknown]
        )
    failed = dict.fromkeys(keys[n] for n in missing if keys[n] in failures and keys[n] not in label)
    failure = {key: failure_of_block(folder / FAILURES, key, failures[key]) for key in failed}
    taken = 0
    for key in [*label, *failure]:
        with lock(store, key, wait=True):
            if read_label(store, key) is not None:
                continue
            if key in label:
                write_label(store, label[key])
                taken += 1
            elif read_failure(store, key) is None:
                write_failure(store, key, _as_here(failure[key], settings))
    log(
        f"{taken} of {len(missing)} missing label(s) and {len(failure)} failure(s) taken from {folder}"
    )
    return taken


def _as_here(failure: Failure, settings: dict) -> Failure:
    """A failure with the commands and folders of this machine, which are published nowhere."""
    return replace(failure, settings=settings | failure.settings)


def _require_not_otherwise(
    folder: Path, labels: dict[str, str], labeler: str, unknown: list[tuple[Atoms, dict]]
) -> None:
    """Refuse frames whose geometry has a published label of other settings."""
    path, known = folder / LABELS, {}
    for key, block in labels.items():
        known[geometry_hash([geometry_of_block(path, key, block)])] = key
    for atoms, decides in unknown:
        key = known.get(geometry_hash([atoms]))
        if key is None:
            continue
        published = dict(label_of_block(path, key, labels[key]).provenance)
        pair = [
            {"labeler": name, "settings": value}
            for name, value in ((published["labeler"], published["settings"]), (labeler, decides))
        ]
        found = [phrase.removeprefix("settings.") for phrase in differences(*pair)]
        raise ValueError(
            f"a frame of {len(atoms)} atoms of this job is in {path}, published with "
            f"{'; '.join(found)}: set `labels` equal, or take `published` out of the study to label "
            "it anew"
        )
