"""Compute an observable of a trajectory, of a model, of both with labels, of an engine or of frames."""

import json
from pathlib import Path

from minset.files import write_csv
from minset.observe import OBSERVABLES


def main(observable: str, settings: dict, system: dict, threads: int = 1, **files) -> None:
    """Write all tables of the observable.

    Parameters
    ----------
    files
        Of a trajectory ``trajectory``, ``thermo`` and ``verdict``; of a model ``model`` (its files)
        and ``test``; of an engine ``model``, empty for the system's potential; of a certificate those of
        a trajectory and a model, ``labels`` and ``store``; of frames see ``minset.observe.coverage``. And
        the path of each table that the observable writes.
    """
    record = OBSERVABLES[observable]
    outputs = {name: files.pop(name) for name in record.tables}
    if "verdict" in files:
        files["verdict"] = json.loads(Path(files["verdict"]).read_text())
    if "model" in files:
        files["model"] = Path(files["model"][0]).parent if files["model"] else None
    tables = record.observe(files, system, settings, threads)
    for name, path in outputs.items():
        write_csv(path, tables[name])


if "snakemake" in globals():
    from minset.adapter import run

    run(main, snakemake)  # noqa: F821
