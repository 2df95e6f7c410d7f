"""The folder itself: all of it, or nothing."""

import json
import shutil
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from ase.data import chemical_symbols

from minset.dataset import read_dataset
from minset.export.card import card_text, read_description
from minset.export.datasets import write_all
from minset.export.readme import readme_text
from minset.files import file_hash, write_text
from minset.label.store import Label, read_label
from minset.model import MODELS, baseline_of, kind_of
from minset.model.record import BeyondTool, Model

SUMS = "SHA256SUMS"


def write_export(
    target: Path,
    model: Path,
    datasets: dict[str, Path],
    store: Path,
    about: dict,
    errors: Path,
    verdicts: dict[str, Path],
    certificates: dict[str, Path],
) -> None:
    """Write a model and its data into a folder that needs nothing else.

    Parameters
    ----------
    target
        The folder; what stood there is replaced in the end.
    model
        Folder of the trained model.
    datasets
        ``train``, ``validation`` and ``test``, extended XYZ.
    store
        With their labels.
    about, errors, verdicts, certificates
        See ``minset.export.card.card_text``; tables and verdicts by their files.

    Raises
    ------
    ValueError
        If the model or a dataset is damaged, or a label is gone.
    """
    target = Path(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}."))
    try:
        _fill(made, Path(model), datasets, store, about, errors, verdicts, certificates)
        made.chmod(0o755)
        shutil.rmtree(target, ignore_errors=True)
        made.rename(target)
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _fill(made, model, datasets, store, about, errors, verdicts, certificates) -> None:
    parts = {name: read_dataset(path) for name, path in datasets.items()}
    labels = {name: [_label(store, f) for f in frames] for name, frames in parts.items()}
    kind, description = kind_of(model), read_description(model)
    record = MODELS[kind]
    shutil.copytree(model, made / "minset", ignore=_but(record.files))
    usage = _own_tool(record, model, made / kind)
    write_all(parts, made / "data")
    tables = {name: pd.read_csv(path) for name, path in certificates.items()}
    told = {name: json.loads(Path(path).read_text()) for name, path in verdicts.items()}
    row = pd.read_csv(errors)
    write_text(made / "CARD.md", card_text(about, description, labels, row, told, tables))
    numbers = np.unique(np.concatenate([f.numbers for f in parts["train"]]))
    species = [chemical_symbols[z] for z in numbers]
    formula = parts["train"][0].get_chemical_formula(mode="hill")
    cutoff_A = description.get("hyper", description.get("settings", {}))["cutoff_A"]
    write_text(
        made / "README.md",
        readme_text(about, made / kind, usage, species, formula, float(cutoff_A)),
    )
    files = sorted(path for path in made.rglob("*") if path.is_file())
    lines = [f"{file_hash(path)}  {path.relative_to(made).as_posix()}\n" for path in files]
    write_text(made / SUMS, "".join(lines))


def _own_tool(record: Model, model: Path, own: Path) -> str:
    """Write what the kind's own tool reads, unless it would be less than the model; how it is used."""
    own.mkdir()
    try:
        return record.export(model, baseline_of(model), own)
    except BeyondTool as reason:
        own.rmdir()
        return (
            f"### {own.name}\n\nThere is no file for it: {reason}, and without that forces are "
            "wrong. minset's ASE calculator and its driver for LAMMPS add it."
        )


def _but(files: tuple[str, ...]):
    """What ``shutil.copytree`` leaves out: everything but these."""
    return lambda folder, names: [name for name in names if name not in files]


def _label(store: Path, frame) -> Label:
    key = frame.info["label_key"]
    label = read_label(Path(store), key)
    if label is None:
        raise ValueError(
            f"the label {key} is no longer in {store}; run `snakemake --forcerun label` to get it again"
        )
    return label
