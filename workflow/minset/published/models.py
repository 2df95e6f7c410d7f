"""Trained models and frames of their own simulations, as they were published.

Published are the models that have certificates. Trained anew, they would differ in the last digits and
soon in their trajectories, whose frames nobody has labelled.
"""

import json
from pathlib import Path

import pandas as pd
from ase import Atoms

from minset.files import file_hash, written_aside
from minset.label.access import access_told
from minset.names import certificate_row
from minset.published.frames import damaged, published_frames
from minset.published.orders import OF_PUBLISHED, differences, read_orders

MODELS, TRAINED = "models", "trained.json"


def identity_of(settings: dict, training: dict, seed: int, datasets: list[str]) -> dict:
    """All that decides a trained model: its options, its seed, and the hashes of its datasets."""
    return {"settings": settings, "training": training, "seed": seed, "inputs": datasets}


def hashes_of(files: list[Path]) -> dict[str, str]:
    """Hash of each file of a model, by its name."""
    return {Path(path).name: file_hash(path) for path in files}


def take_model(folder: Path, run: str, identity: dict, outputs: list[Path]) -> bool:
    """Copy a published model to where it is to be; False where it is not published.

    Of one that was trained in another way the difference is printed: training it is no loss.

    Parameters
    ----------
    folder
        What a study names as ``published``.
    run
        Name of the trained model.
    identity
        See ``identity_of``.
    outputs
        The model's files.

    Raises
    ------
    ValueError
        If a file is damaged.
    OSError
        If there is no access to one.
    """
    source, trained = _trained(folder, run)
    if trained is None:
        return False
    if found := differences(trained["identity"], identity):
        print(f"{source} was trained with {'; '.join(found)}: trained anew")
        return False
    contents = {}
    for path in outputs:
        with access_told(source / path.name):
            contents[path] = (source / path.name).read_bytes()
    if hashes_of([source / path.name for path in outputs]) != trained["files"]:
        raise damaged(source, "a file is not the one that was trained")
    for path, content in contents.items():
        with written_aside(path) as aside:
            aside.write_bytes(content)
    print(f"the model is that of {source}")
    return True


def take_own_frames(
    folder: Path, name: str, model: list[Path], decides: dict
) -> tuple[list[Atoms], pd.DataFrame] | None:
    """Published frames of a certificate, with the columns of the set's table.

    None where they are not published, or are those of another model or simulation, which is printed.

    Parameters
    ----------
    folder
        What a study names as ``published``.
    name
        Of the set.
    model
        Files of the model here.
    decides
        What decides the simulation in the study, see ``minset.published.decides``.

    Raises
    ------
    ValueError
        If a file is damaged.
    """
    orders = read_orders(folder)
    if orders is None or name not in orders.about.get("certificates", {}):
        return None
    found = differences(orders.about["certificates"][name], decides)
    _, trained = _trained(folder, certificate_row(name)["run"])
    if trained is None or trained["files"] != hashes_of(model):
        found.append("another model")
    if found:
        print(f"{folder} has frames of {name} with {'; '.join(found)}: taken from the run here")
        return None
    rows = orders.rows[orders.rows["set"] == name].drop(columns=list(OF_PUBLISHED))
    frames = published_frames(folder, rows.pop("key").tolist())
    rows.insert(0, "origin", rows.pop("origin"))
    print(f"the frames are those of {folder}")
    return frames, rows.loc[:, (rows != "").any()].reset_index(drop=True)


def _trained(folder: Path, run: str) -> tuple[Path, dict | None]:
    """Folder of a published model, and what is said there of its training."""
    source = Path(folder) / MODELS / run
    try:
        with access_told(source / TRAINED):
            return source, json.loads((source / TRAINED).read_bytes())
    except FileNotFoundError:
        return source, None
    except ValueError as error:
        raise damaged(source / TRAINED, error) from error
