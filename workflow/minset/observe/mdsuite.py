"""The observables of ``rdf`` and ``transport`` once more, by MDSuite in its own environment.

Its last release needs an old TensorFlow, so it is reached through a script and files.
"""

import json
import subprocess
import tempfile
from pathlib import Path

import pandas as pd

from minset.observe import rdf, transport
from minset.observe.record import Observable, Table, without_rows

SCRIPT = Path(__file__).parents[3] / "scripts" / "mdsuite_observables.py"
OUTPUTS = {
    "mdsuite_rdf": "out_rdf",
    "mdsuite_diffusion": "out_diffusion",
    "mdsuite_conductivity": "out_conductivity",
}


def command(
    python: str | Path, script: str | Path, source: dict, tables: dict, settings: dict
) -> list[str]:
    """Command line that computes MDSuite's tables of one trajectory.

    Parameters
    ----------
    python
        Interpreter of MDSuite's environment.
    script
        ``scripts/mdsuite_observables.py``.
    source
        ``{"trajectory": path, "verdict": path}``.
    tables
        CSV file to write for each table of the record.
    settings
        ``timestep_fs``, ``temperature_K``, ``range_A``, ``bins``, ``start_ps``.
    """
    values = {
        "trajectory": source["trajectory"],
        "verdict": source["verdict"],
        "time_step_ps": settings["timestep_fs"] / 1000,
        "temperature_K": settings["temperature_K"],
        "rdf_range_A": settings["range_A"],
        "rdf_bins": settings["bins"],
        "start_ps": settings["start_ps"],
    } | {OUTPUTS[name]: path for name, path in tables.items()}
    options = [word for name, value in values.items() for word in (f"--{name}", str(value))]
    return [str(python), str(script), *options]


def observe_mdsuite(source: dict, system: dict, settings: dict, threads: int = 1) -> dict:
    """Tables of MDSuite, see `Observable`.

    The workflow adds ``python`` to the settings, the interpreter of MDSuite's environment: a study has
    no paths of a machine.

    Raises
    ------
    ValueError
        If MDSuite fails; with what it said last.
    """
    if not source["verdict"]["stable"]:
        return without_rows(RECORD.tables, "the simulation broke")
    with tempfile.TemporaryDirectory(prefix="mdsuite-") as folder:
        verdict = Path(folder) / "verdict.json"
        verdict.write_text(json.dumps(source["verdict"]))
        files = {name: Path(folder) / f"{name}.csv" for name in RECORD.tables}
        given = {"trajectory": source["trajectory"], "verdict": verdict}
        words = command(settings["python"], SCRIPT, given, files, settings)
        run = subprocess.run([*words, "--threads", str(threads)], capture_output=True, text=True)
        if run.returncode:
            last = (run.stderr.strip().splitlines() or ["it said nothing"])[-1]
            raise ValueError(f"MDSuite of {settings['python']} failed: {last}")
        print(run.stdout, end="")
        return {name: pd.read_csv(path) for name, path in files.items()}


def mdsuite_mistakes(settings: dict, simulation: dict, edge_A: float | None) -> list[str]:
    """Those of ``rdf`` and of ``transport``."""
    return [
        mistake
        for record in (rdf.RECORD, transport.RECORD)
        for mistake in record.mistakes(settings, simulation, edge_A)
    ]


RECORD = Observable(
    of="trajectory",
    tables={
        "mdsuite_rdf": Table(),
        "mdsuite_diffusion": Table("diffusion", "MDSuite"),
        "mdsuite_conductivity": Table("conductivity", "MDSuite"),
    },
    observe=observe_mdsuite,
    caption=transport.RECORD.caption,
    environment="mdsuite",
    options_of=("rdf", "transport"),
    ensembles=("nvt", "nve"),
    mistakes=mdsuite_mistakes,
)
