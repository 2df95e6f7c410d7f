"""Writing what a study has: labels, failures, orders and what decided them, tables and figures.

The same results give the same bytes; a file whose content is the same is left alone. What is not
finished is left out, and published by the next call.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
from ase import Atoms

from minset import __version__
from minset.figures import figures_of
from minset.files import file_hash, written_aside
from minset.label.store import Failure, Label, label_key, read_failure, read_label
from minset.names import HELD_OUT, certificate_row, set_row
from minset.outputs import tables_of
from minset.pool.store import pool_size, read_frames
from minset.published.decides import (
    decides_certificate,
    decides_labels,
    decides_selector,
    decides_split,
    published_folder,
    published_sets,
)
from minset.published.frames import (
    FAILURES,
    LABELS,
    failure_of_block,
    failure_text,
    geometry_text,
    label_of_block,
    label_text,
    read_blocks,
)
from minset.published.models import MODELS, TRAINED, hashes_of, identity_of
from minset.published.orders import (
    ABOUT,
    FORMAT,
    OF_PICKS,
    OF_PUBLISHED,
    ORDER,
    is_selection,
    pool_hash,
    read_orders,
)
from minset.sets import read_part
from minset.study import Study, canonical

POOL = "pool.extxyz"
# of a frame of the pool, for whoever reads the file
_OF_POOL = ("time_ps", "temperature_K", "pressure_bar")


@dataclass
class Results:
    """What a study has of one system: sets that are chosen, and what became of their frames by key."""

    study: Study
    system: str
    rows: dict[str, pd.DataFrame] = field(default_factory=dict)
    atoms: dict[str, Atoms] = field(default_factory=dict)
    labels: dict[str, Label] = field(default_factory=dict)
    failures: dict[str, Failure] = field(default_factory=dict)

    @property
    def missing(self) -> list[str]:
        """Keys of frames that have neither a label nor a failure that would come again."""
        return [key for key in self.atoms if key not in self.labels and key not in self.failures]

    def path(self, stage: str, file: str) -> Path:
        """File of a stage's results."""
        return Path(self.study.folder(stage).replace("{system}", self.system)) / file


def results_of(study: Study, system: str, log: Callable[[str], None] = print) -> Results:
    """Gather the sets of a study whose frames are chosen, with their labels.

    A set that was chosen before the study or the pool changed is left out, with those of larger
    sizes, and told. A label that was published with the same settings stays, also where the store
    lacks it or has it from another calculation.

    Raises
    ------
    ValueError
        If a file of a set or of what is published is damaged, or if sets were published that are not
        there.
    OSError
        If a file cannot be read.
    """
    results = Results(study, system)
    for name in published_sets(study):
        smaller = study.smaller(name) if is_selection(name) else []
        if not all(other in results.rows for other in smaller):
            continue
        if not results.path("selection", f"{name}.csv").exists():
            continue
        if not _is_current(results, name):
            log(f"{name} was chosen by an earlier form of the study and is left out: run the study")
            continue
        _add_set(results, name)
    _add_published(results)
    return results


def _add_published(results: Results) -> None:
    """Add what the folder has: its labels before the store's, as others have results from them."""
    study, folder = results.study, published_folder(results.study, results.system)
    orders = read_orders(folder)
    lost = [n for n in (orders.about["sets"] if orders else []) if n not in results.rows]
    if lost := [name for name in lost if name in published_sets(study)]:
        raise ValueError(
            f"{folder} has {lost[0]}{f' and {len(lost) - 1} more sets' if lost[1:] else ''}, which the "
            f"results here lack: run `snakemake labels --config study={study.name}` first, or remove "
            "the folder to publish anew"
        )
    for key, block in read_blocks(folder / LABELS).items():
        label = label_of_block(folder / LABELS, key, block)
        if _keys(results, [label.atoms]) == [key]:
            results.labels[key] = label
            results.atoms.setdefault(key, label.atoms)
    failures = read_blocks(folder / FAILURES)
    for key in results.missing:
        if key in failures:
            results.failures[key] = failure_of_block(folder / FAILURES, key, failures[key])


def _keys(results: Results, frames: list[Atoms]) -> list[str]:
    """Keys of the labels of frames by the study's labeler and settings."""
    study, labeler = results.study, results.study.labeler
    settings = study.label_settings(results.system) | study.label_effort(results.system)
    return [label_key(a, labeler.name, labeler.physics(settings, a)) for a in frames]


def _is_current(results: Results, name: str) -> bool:
    """Whether a set was chosen from the files and by the options that are there now."""
    study = results.study
    if name == HELD_OUT:
        made = results.path("selection", "split.csv.meta.json")
        keys = ("test", "validation")
        own = {key: canonical(study.settings[key]) for key in keys}
    else:
        made, own = results.path("selection", f"{name}.h5.meta.json"), {}
    if is_selection(name):
        own = {
            "selector": study.selector(name),
            "options": study.selector_options(name, results.system),
        }
    described = [
        (path, {"options": canonical(study.settings["descriptors"])})
        for path in results.path("selection", "").glob("descriptors-*.npy.meta.json")
    ]
    for path, expected in [(made, own), *described]:
        try:
            meta = json.loads(path.read_bytes())
        except (FileNotFoundError, ValueError):
            return False
        given = meta["parameters"]
        if any(given.get(key) != value for key, value in expected.items()):
            return False
        if any(_hash(file) != sha256 for file, sha256 in meta["inputs_sha256"].items()):
            return False
    return True


def _hash(path: str) -> str | None:
    return file_hash(path) if Path(path).exists() else None


def _add_set(results: Results, name: str) -> None:
    table = results.path("selection", f"{name}.csv")
    rows = pd.read_csv(table, dtype=str, keep_default_na=False)
    atoms, _ = read_part(table.with_suffix(".h5"), table, 0, len(rows))
    keys = _keys(results, atoms)
    store = Path("results") / results.system / "label" / "store"
    for key, image in zip(keys, atoms, strict=True):
        if key in results.atoms:
            continue
        results.atoms[key] = image
        if (label := read_label(store, key)) is not None:
            results.labels[key] = label
        elif (failure := read_failure(store, key)) is not None and failure.permanent:
            results.failures[key] = failure
    results.rows[name] = rows.assign(key=keys)


def order_table(results: Results) -> pd.DataFrame:
    """Rows of all sets: set, role, selector, seed, those of the set's table, key of the label; texts."""
    tables, pool = [], str(results.path("pool", "pool.h5"))
    for name, rows in results.rows.items():
        about = {"set": name, "role": name.partition("/")[0], "selector": "", "seed": ""}
        if name == HELD_OUT:
            about["role"] = rows["role"]
        elif is_selection(name):
            row = set_row(name)
            about |= {"role": "train", "selector": row["selector"], "seed": str(row["seed"])}
        of_pool = (rows["origin"] == pool).all()
        own = rows.drop(columns=["role", "run", "key"], errors="ignore")
        own = own.drop(columns="origin") if of_pool else own
        tables.append(pd.concat([rows[[]].assign(**about), own, rows[["key"]]], axis=1))
    *first, key = [*OF_PUBLISHED, *OF_PICKS]
    joined = pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()
    others = [column for column in joined if column not in (*first, key)]
    return joined.reindex(columns=[*first, *others, key]).fillna("")


def about_of(results: Results) -> dict:
    """Content of about.json."""
    study, system, pool = results.study, results.system, results.path("pool", "pool.h5")
    return {
        "format": FORMAT,
        "minset": __version__,
        "study": study.name,
        "system": system,
        "pool": {"frames": pool_size(pool), "sha256": pool_hash(pool)},
        "split": decides_split(study),
        "selectors": {
            name: decides_selector(study, name, system) for name in study.settings["selectors"]
        },
        "certificates": {
            name: decides_certificate(study, name, system) for name in _certificates(results)
        },
        "labels": decides_labels(study, system),
        "frames": {
            "labelled": len(results.labels),
            "failed": len(results.failures),
            "missing": len(results.missing),
        },
        "sets": {name: len(rows) for name, rows in results.rows.items()},
    }


def publish(results: Results, with_pool: bool = False) -> Path:
    """Write the folder of a system of a study, but for its README; return the folder.

    Parameters
    ----------
    results
        See `results_of`.
    with_pool
        Write the study's pool, too, as extended XYZ that gives the same frames.
    """
    folder = published_folder(results.study, results.system)
    labelled = [key for key in results.atoms if key in results.labels]
    texts = {LABELS: "".join(label_text(results.labels[key]) for key in labelled)}
    effort = results.study.labeler.effort
    texts[FAILURES] = "".join(
        failure_text(key, image, results.failures[key], effort)
        for key, image in results.atoms.items()
        if key in results.failures
    )
    texts[ORDER] = order_table(results).to_csv(index=False)
    texts[ABOUT] = json.dumps(about_of(results), indent=1, allow_nan=False) + "\n"
    if with_pool:
        frames = read_frames(results.path("pool", "pool.h5"))
        texts[POOL] = "".join(
            geometry_text(f, {k: f.info[k] for k in _OF_POOL if k in f.info}) for f in frames
        )
    for name, text in texts.items():
        if text or (folder / name).exists():
            write_if_other(folder / name, text.encode())
    for stage, names, ending in (("table", tables_of, "csv"), ("figure", figures_of, "png")):
        for name in names(results.study):
            source, target = results.path(stage, f"{name}.{ending}"), folder / f"{name}.{ending}"
            if source.exists() and target.name != ORDER:
                write_if_other(target, source.read_bytes())
    _publish_models(results, folder)
    return folder


def _publish_models(results: Results, folder: Path) -> None:
    """Copy the trained models whose own frames are published."""
    for run in dict.fromkeys(certificate_row(n)["run"] for n in _certificates(results)):
        files = [results.path("model", f"{run}/{name}") for name in results.study.model(run).files]
        meta = json.loads(files[0].with_name(f"{files[0].name}.meta.json").read_bytes())
        given, datasets = meta["parameters"], list(meta["inputs_sha256"].values())
        keys = ("settings", "training", "seed")
        identity = identity_of(*(given[key] for key in keys), datasets)
        about = {"identity": identity, "files": hashes_of(files)}
        for path in files:
            write_if_other(folder / MODELS / run / path.name, path.read_bytes())
        text = json.dumps(about, indent=1, allow_nan=False) + "\n"
        write_if_other(folder / MODELS / run / TRAINED, text.encode())


def _certificates(results: Results) -> list[str]:
    return [name for name in results.rows if certificate_row(name)]


def write_if_other(path: Path, content: bytes) -> None:
    """Write a file in one step, unless it has this content: Snakemake looks at times."""
    if not (path.exists() and path.read_bytes() == content):
        with written_aside(path) as aside:
            aside.write_bytes(content)
