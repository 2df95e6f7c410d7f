"""Disks that are full or cannot be written: said in these words, nothing damaged, and it goes on."""

import contextlib
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from faults import runs
from minset.md.engines import potential_engine
from minset.md.run import TRAJECTORY, VERDICT, Protocol, run_md
from minset.md.trajectory import read_trajectory

pytestmark = [
    pytest.mark.timeout(1800),
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a file system"),
]
FULL = "No space left on device"


def mount(*arguments) -> None:
    done = subprocess.run(["mount", *map(str, arguments)], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"this machine does not allow to mount: {done.stderr.strip()}")


@contextlib.contextmanager
def mounted(folder: Path, *arguments):
    mount(*arguments, folder)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


@contextlib.contextmanager
def small_disk(folder: Path, free_kB: int):
    """`results` on a disk of its own, with little room; yields what makes room."""
    results, aside = folder / "results", folder / "aside"
    if results.exists():
        results.rename(aside)
    results.mkdir()
    with mounted(results, "-t", "tmpfs", "-o", "size=512m", "tmpfs"):
        if aside.exists():
            shutil.copytree(aside, results, dirs_exist_ok=True)
        used_kB = sum(path.stat().st_blocks for path in results.rglob("*")) // 2
        mount("-o", f"remount,size={used_kB + free_kB}k", results)
        yield lambda: mount("-o", "remount,size=512m", results)


def full(folder: Path, study: str, *targets: str) -> None:
    failed = runs.run(folder, study, *targets)
    assert failed.status != 0
    assert FULL in failed.output
    assert "Traceback" not in failed.output


@runs.needs_cp2k
@pytest.mark.parametrize("free_kB", [16, pytest.param(60, marks=pytest.mark.faults)])
def test_full_disk_in_labels(nearly_labelled, labelled, free_kB):
    """A disk that becomes full when CP2K writes its output, or when a label is written."""
    with small_disk(nearly_labelled, free_kB) as make_room:
        full(nearly_labelled, "dft", "labels")
        assert len(runs.stored(nearly_labelled)) == runs.FRAMES - 2
        make_room()
        runs.finish(nearly_labelled, "dft", "labels")
        runs.assert_same_labels(nearly_labelled, labelled)
        runs.assert_nothing_half_done(nearly_labelled)


@pytest.mark.faults
@pytest.mark.parametrize("free_kB", [20, 300], ids=["labels", "training"])
def test_full_disk_in_a_study(fresh, whole, free_kB):
    """A disk that becomes full in the labels, in the training."""
    with small_disk(fresh, free_kB) as make_room:
        full(fresh, "classical", runs.TABLE, runs.VERDICT)
        make_room()
        runs.finish(fresh, "classical", runs.TABLE, runs.VERDICT)
        runs.assert_same_labels(fresh, whole, "potential")
        runs.assert_same_model(fresh, whole)
        runs.assert_nothing_half_done(fresh)


@pytest.mark.faults
def test_full_disk_in_the_simulation(done):
    """A disk that becomes full while MD with a model writes its trajectory."""
    runs.forget_simulation(done)
    with small_disk(done, free_kB=120) as make_room:
        full(done, "classical", runs.VERDICT)
        make_room()
        runs.finish(done, "classical", runs.VERDICT)
        steps = read_trajectory(done / runs.SIMULATION / TRAJECTORY).steps
        assert steps.tolist() == list(range(0, 3501, 25))
        assert json.loads((done / runs.VERDICT).read_text())["stable"]
        runs.assert_nothing_half_done(done)


@pytest.mark.faults
def test_full_disk_in_the_pool(empty, selected, tmp_path):
    """A disk that is full while the MD of the pool writes its trajectory."""
    folder = runs.copied(empty, tmp_path / "copy")
    with small_disk(folder, free_kB=60) as make_room:
        full(folder, "classical", runs.POOL)
        make_room()
        runs.finish(folder, "classical", runs.POOL)
        table = "results/kcl/pool/classical/pool.csv"
        assert (folder / table).read_text().count("\n") == 41
        if "continuing at" not in runs.logs(folder):
            runs.assert_same_files(folder, selected, table)


def test_full_disk_says_nothing_about_the_dynamics(kcl, melt32, tmp_path):
    """A disk that is full while MD runs and has room again before it ends: an error of the run, not
    a verdict that the dynamics broke; the next run goes on."""
    protocol = Protocol("nvt", (1200.0, 1200.0), 4.0, 1.0, 0.05, 0.01, seed=4, checkpoint_ps=0.5)
    ballast, run = tmp_path / "disk/ballast", tmp_path / "disk/run"
    ballast.parent.mkdir()

    def fills_the_disk(lmp, symbols, system):
        alarm, chunks = potential_engine()(lmp, symbols, system), iter(range(100))

        def check():
            chunk = next(chunks)
            if chunk == 1:
                with contextlib.suppress(OSError):
                    ballast.write_bytes(bytes(4_000_000))
            if chunk == 2:
                ballast.unlink()
            return alarm()

        return check

    with mounted(ballast.parent, "-t", "tmpfs", "-o", "size=2m", "tmpfs"):
        with pytest.raises(OSError, match=r"LAMMPS cannot write to .*: No space left on device"):
            run_md(melt32, kcl, fills_the_disk, protocol, run)
        assert not (run / VERDICT).exists()
        ballast.unlink(missing_ok=True)
        assert run_md(melt32, kcl, potential_engine(), protocol, run)["stable"]
        steps = read_trajectory(run / TRAJECTORY).steps
        assert steps.tolist() == list(range(0, 4001, 50))


@pytest.mark.faults
@runs.needs_cp2k
def test_read_only(nearly_labelled, labelled):
    """`results` is mounted read-only."""
    folder = nearly_labelled
    results = folder / "results"
    with mounted(results, "--bind", results):
        mount("-o", "remount,ro,bind", results)
        failed = runs.run(folder, "dft", "labels")
        assert failed.status != 0
        # Snakemake's own stack trace, and at its end:
        assert "Read-only file system" in failed.output[-300:]
    assert not runs.starts(folder)
    runs.finish(folder, "dft", "labels")
    runs.assert_same_labels(folder, labelled)
