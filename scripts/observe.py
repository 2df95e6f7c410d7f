"""Compute an observable of a trajectory or of a model."""

import json
from pathlib import Path

from minset.files import write_csv
from minset.observe import OBSERVABLES


def main(
    source: dict, outputs: dict, observable: str, settings: dict, system: dict, threads: int = 1
) -> None:
    """Write all tables of the observable.

    Parameters
    ----------
    source
        ``trajectory``, ``thermo``, ``verdict``; or ``model`` (its files) and ``test``.
    outputs
        Path of each table.
    """
    if "verdict" in source:
        source = source | {"verdict": json.loads(Path(source["verdict"]).read_text())}
    else:
        source = source | {"model": Path(source["model"][0]).parent}
    tables = OBSERVABLES[observable].observe(source, system, settings, threads)
    for name, path in outputs.items():
        write_csv(path, tables[name])


if "snakemake" in globals():
    from minset.adapter import run

    run(main, snakemake, source=dict(snakemake.input), outputs=dict(snakemake.output))  # noqa: F821
