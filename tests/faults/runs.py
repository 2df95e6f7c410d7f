"""Runs of Snakemake in copies of the repository, what they computed, and ways to disturb them."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
import yaml

sys.path.insert(0, str(Path(__file__).parents[1] / "workflow"))
from running import clone_repository, kill, snakemake, start
from running import run as run_program

# ten ions with the smallest basis on the coarsest grid: some seconds of CP2K a frame
CLASSICAL = yaml.safe_load("""
description: for tests
systems: [kcl]
pool: {ions: 10, temperature_K: [1900, 1700], pressure_bar: 5000, equilibration_ps: 2,
  duration_ps: 10, frames: 40, seed: 1}
test: {frames: 2, seed: 2}
validation: {frames: 1, seed: 3}
descriptors: {size: small}
selectors: {random: {}}
sizes: [3]
seeds: [1]
labels: {labeler: potential, frames_per_job: 3}
models:
  small: {size: small, training: {batch_size: 2, learning_rate: 2.0e-3, max_epochs: 300, patience: 300}}
reference: []
simulations:
  nvt: {ensemble: nvt, ions: 10, temperature_K: 1200, duration_ps: 7, equilibration_ps: 0.1,
    melt_ps: 1, observables: [rdf],
    limits: {temperature_percent: 1000, energy_eV_atom: 1000, force_eV_A: 1000}}
rdf: {range_A: 3.4}
""")
DFT = CLASSICAL | {
    "pool": {"study": "classical"},
    "labels": {
        "labeler": "cp2k",
        "frames_per_job": 3,
        "net_force_gate_eV_A": 5,
        "settings": {
            "dispersion": "none",
            "cutoff_Ry": 100,
            "rel_cutoff_Ry": 20,
            "eps_default": 1e-8,
            "eps_scf": 1e-4,
            "command": "./cp2k",
        },
    },
    "simulations": {},
}
STUDIES = {"classical": CLASSICAL, "dft": DFT}
SETS = ("held_out", "random-n3-s1")
FRAMES = 6  # that each study labels, three of each set: a job for each
TOLERANCES = {"energy_eV": 0.01, "forces_eV_A": 0.02, "stress_eV_A3": 0.001}  # of labels from CP2K
POOL = "results/kcl/pool/classical/pool.h5"
SPLIT = "results/kcl/selection/classical/split.csv"
SELECTION = "results/kcl/selection/{}/random-n3-s1.csv"
LABELS = "results/kcl/label/{}/{}/part-0.csv"  # of a study and a set
RUN = "random-n3-s1-small"
MODEL = f"results/kcl/model/classical/{RUN}"
SIMULATION = f"results/kcl/simulation/classical/nvt/{RUN}"
VERDICT = f"{SIMULATION}/verdict.json"
TABLE = "results/kcl/table/classical/errors.csv"
DATASET = "results/kcl/dataset/dft/random-n3-s1/train.extxyz"
STORE = "results/kcl/label/store"
LOG = "results/kcl/log"

# each start of CP2K, and whether the label of that frame was in the store already; then what a
# test wants to happen instead of CP2K, once
CP2K = """#!/bin/sh
here=$(dirname "$0")
key=$(basename "$PWD")
[ -e "$here/{store}/$(echo "$key" | cut -c1-2)/$key.json" ] && state=stored || state=new
echo "$key $state" >> "$here/starts"
mv "$here/fault" "$here/fault-$$" 2>/dev/null && exec "$here/fault-$$" "$@"
exec cp2k.psmp "$@"
"""
# shell code that waits until the SCF of the calculation of this folder has begun
UNTIL_SCF = 'until grep -q "OT DIIS" attempt-1.out; do sleep 0.05; done'

needs_cp2k = pytest.mark.skipif(shutil.which("cp2k.psmp") is None, reason="CP2K is not installed")


def clone(folder: Path) -> Path:
    """A clone with the studies, a CP2K that counts its starts, and checkpoints so often that short
    runs have some."""
    clone_repository(folder)
    for name, study in STUDIES.items():
        (folder / f"config/studies/{name}.yaml").write_text(yaml.safe_dump(study))
    path = folder / "config/systems/kcl.yaml"
    quick = re.sub(r"TZV2P-MOLOPT-PBE-GTH-q\d", "SZV-MOLOPT-SR-GTH", path.read_text())
    path.write_text(quick.replace("  basis_set_file: BASIS_MOLOPT_UZH\n", ""))
    script(folder / "cp2k", CP2K.format(store=STORE))
    for name in ("model/training.py", "select/novelty.py"):
        path = folder / "workflow/minset" / name
        source = path.read_text()
        assert "> CHECKPOINT_SECONDS:" in source
        path.write_text(f"{source}\nCHECKPOINT_SECONDS = 0.2\n")
    return folder


def copied(source: Path, folder: Path) -> Path:
    return Path(shutil.copytree(source, folder, symlinks=True))


def script(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)


def fault(folder: Path, code: str) -> None:
    """What the next start of CP2K does instead, once, as shell code."""
    script(folder / "fault", f'#!/bin/sh\nhere=$(dirname "$0")\n{code}\n')


def change(folder: Path, study: str, **sections) -> None:
    """Other settings in a study; a section keeps those that are not given."""
    path = folder / f"config/studies/{study}.yaml"
    content = yaml.safe_load(path.read_text())
    for name, value in sections.items():
        content[name] = content[name] | value if isinstance(value, dict) else value
    path.write_text(yaml.safe_dump(content))


def change_settings(folder: Path, **settings) -> None:
    """Other settings of CP2K in the study with CP2K."""
    change(folder, "dft", labels={"settings": DFT["labels"]["settings"] | settings})


def add_rnd(folder: Path) -> None:
    """A selection that takes some seconds, in the classical study."""
    change(folder, "classical", selectors={"rnd": {"max_steps": 3000, "tolerance": 0}}, sizes=[32])


def forget_model(folder: Path) -> None:
    """Remove a model and all that was made with it."""
    shutil.rmtree(folder / MODEL)
    shutil.rmtree(folder / "results/kcl/observable/classical/errors")
    (folder / TABLE).unlink()
    forget_simulation(folder)


def forget_simulation(folder: Path) -> None:
    shutil.rmtree(folder / SIMULATION)


def run(folder: Path, study: str, *targets: str, cores: int = 2, seconds: float = 900):
    return snakemake(folder, study, "--cores", str(cores), *targets, seconds=seconds)


def finish(folder: Path, study: str, *targets: str) -> SimpleNamespace:
    """A run that is to come to its end."""
    done = run(folder, study, *targets)
    assert done.status == 0, f"{done.output[-4000:]}\n{logs(folder)[-4000:]}"
    return done


def status(folder: Path, study: str) -> tuple[list[str], list[str], str]:
    """Label jobs and frames that are done, running, failed and to do, and all that the status says."""
    said = run_program(folder, "python", "scripts/status.py", study, seconds=120)
    assert said.status == 0, said.output
    cells = {
        line.split()[0]: line.split()[1:5] for line in said.output.splitlines() if line.split()
    }
    return cells["label"], cells["frames"], said.output


def unlock(folder: Path, study: str) -> None:
    """What a user does after a hard kill of Snakemake, having been told so."""
    locked = run(folder, study, "labels")
    assert locked.status != 0
    assert "--unlock" in locked.output
    assert snakemake(folder, study, "--unlock", seconds=120).status == 0


def logs(folder: Path) -> str:
    return "\n".join(path.read_text() for path in sorted(folder.glob(f"{LOG}/**/*.log")))


def wait_for(condition, process: subprocess.Popen | None = None, seconds: float = 300) -> None:
    """Wait for a condition while a process runs."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert process is None or process.poll() is None, process.stdout.read()[-4000:]
        assert time.monotonic() < deadline
        time.sleep(0.02)


def start_run(folder: Path, study: str, *targets: str, cores: int = 2) -> subprocess.Popen:
    return start(folder, "snakemake", "--cores", str(cores), *targets, "--config", f"study={study}")


def processes(folder: Path, word: str) -> list[int]:
    """Processes whose working directory is at or below a folder and whose command has a word."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            inside = Path(os.readlink(entry / "cwd")).is_relative_to(folder)
            command = (entry / "cmdline").read_bytes().decode().replace("\0", " ")
        except OSError:
            continue
        if inside and word in command:
            found.append(int(entry.name))
    return found


def kill_job(folder: Path, word: str, condition, study: str, *targets: str, number=signal.SIGKILL):
    """Start a run, signal the job whose script has a word in its name, and see the run end."""
    began = start_run(folder, study, *targets)
    try:
        wait_for(condition, began)
        (job,) = processes(folder, word)
        os.kill(job, number)
        output = began.communicate(timeout=300)[0]
    finally:
        kill(began)
    assert began.returncode != 0
    return output


def starts(folder: Path) -> list[str]:
    """Keys of the frames for which CP2K was started, in order."""
    path = folder / "starts"
    return [line.split()[0] for line in path.read_text().splitlines()] if path.exists() else []


def keys(folder: Path, study: str, name: str) -> list[str]:
    """Keys of the labels of a set, in its order."""
    return pd.read_csv(folder / LABELS.format(study, name))["key"].tolist()


def label_file(folder: Path, key: str) -> Path:
    return folder / STORE / key[:2] / f"{key}.json"


def repeated(folder: Path) -> int:
    """Starts of CP2K for frames whose labels were in the store."""
    path = folder / "starts"
    return path.read_text().count(" stored") if path.exists() else 0


def in_scf(folder: Path, number: int):
    """Whether CP2K was started `number` times, and all that still run are in the SCF."""

    def condition() -> bool:
        if len(starts(folder)) < number:
            return False
        outputs = list(folder.glob("results/kcl/label/*/*/part-*/*/attempt-1.out"))
        try:
            return bool(outputs) and all("OT DIIS" in path.read_text() for path in outputs)
        except FileNotFoundError:  # the frame is done by now
            return False

    return condition


def stored(folder: Path, labeler: str = "cp2k") -> dict[str, dict]:
    """Labels of the store by key."""
    labels = [json.loads(path.read_text())["label"] for path in folder.glob(f"{STORE}/??/*.json")]
    return {one["key"]: one for one in labels if one["provenance"]["labeler"] == labeler}


def assert_same_labels(folder: Path, undisturbed: Path, labeler: str = "cp2k") -> None:
    """All labels of a study are there, and those of an undisturbed run: to the last bit from the
    classical potential, to what the SCF's threshold leaves from CP2K, where a frame starts from
    the wave function of the one before it."""
    ours, theirs = stored(folder, labeler), stored(undisturbed, labeler)
    assert len(theirs) == FRAMES
    assert ours.keys() == theirs.keys()
    for key, label in theirs.items():
        for name, tolerance in TOLERANCES.items():
            exact = 0 if labeler == "potential" else tolerance
            np.testing.assert_allclose(ours[key][name], label[name], rtol=0, atol=exact)
    assert not list(folder.glob(f"{STORE}/failures/*"))
    study = {"cp2k": "dft", "potential": "classical"}[labeler]
    for name in SETS:
        tables = [pd.read_csv(f / LABELS.format(study, name)) for f in (folder, undisturbed)]
        columns = ["frame", "key", "status"]
        pd.testing.assert_frame_equal(*(table[columns] for table in tables))


def assert_labels_finish(folder: Path, undisturbed: Path, number: int) -> None:
    """The next run ends with all labels, and CP2K has been started so many times in all."""
    finish(folder, "dft", "labels")
    assert len(starts(folder)) == number
    assert_same_labels(folder, undisturbed)
    assert_nothing_half_done(folder)


def assert_same_model(folder: Path, undisturbed: Path) -> None:
    """The model is to the last bit that of an undisturbed run."""
    weights = [torch.load(f / MODEL / "model.pt", weights_only=True) for f in (folder, undisturbed)]
    assert weights[0].keys() == weights[1].keys()
    assert all(torch.equal(weights[0][k], weights[1][k]) for k in weights[0])
    arrays = [dict(np.load(f / MODEL / "compressed.npz")) for f in (folder, undisturbed)]
    assert all(np.array_equal(arrays[0][k], arrays[1][k]) for k in arrays[1])
    pd.testing.assert_frame_equal(*(pd.read_csv(f / TABLE) for f in (folder, undisturbed)))


def assert_same_files(folder: Path, undisturbed: Path, *names: str) -> None:
    for name in names:
        assert (folder / name).read_bytes() == (undisturbed / name).read_bytes(), name


def assert_nothing_half_done(folder: Path) -> None:
    """No working folder and no temporary file is left among the results."""
    left = [
        path.relative_to(folder)
        for path in folder.glob("results/**/*")
        if path.name in ("work", "part-0") or re.match(r"\..*\.(part|\d+)", path.name)
    ]
    assert not left


def flip(path: Path, at: float = 0.5) -> None:
    """Flip the bits of one byte, at a share of the file's length."""
    content = bytearray(path.read_bytes())
    content[int(at * len(content))] ^= 0xFF
    stamp = path.stat()
    path.write_bytes(content)
    os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
