"""CP2K goes wrong: the frame is told with its reason, and the next run computes it and no other."""

import os
import shutil
import signal

import pytest

from faults import runs

pytestmark = [runs.needs_cp2k, pytest.mark.timeout(1800)]

REAL = 'exec cp2k.psmp "$@"'
AFTER_A_WHILE = f"({runs.UNTIL_SCF}; {{command}}) &\n{REAL}"


@pytest.fixture
def folder(nearly_labelled):
    return nearly_labelled


def two_frames_are_missing_and_one_fails(folder, labelled, message):
    """Run with the fault, look at what the user is told, run again, compare."""
    failed = runs.run(folder, "dft", "labels")
    assert failed.status != 0
    assert message in failed.output
    assert "Traceback" not in failed.output
    assert len(runs.starts(folder)) == 2
    assert len(runs.stored(folder)) == runs.FRAMES - 1
    assert not runs.processes(folder, "")
    runs.assert_labels_finish(folder, labelled, 3)


def test_segmentation_fault(folder, labelled):
    """SIGSEGV in the SCF of a real CP2K."""
    runs.fault(folder, AFTER_A_WHILE.format(command="kill -SEGV $$"))
    two_frames_are_missing_and_one_fails(folder, labelled, "CP2K was killed by signal 11")


@pytest.mark.faults
@pytest.mark.parametrize(
    ("code", "message"),
    [
        pytest.param(
            AFTER_A_WHILE.format(command="kill -KILL $$"),
            "CP2K was killed by signal 9",
            id="SIGKILL in the SCF, as by the kernel when memory ends",
        ),
        pytest.param(
            f"sed -i 's/XC_FUNCTIONAL PBE/XC_FUNCTIONAL NONSENSE/' attempt-1.inp\n{REAL}",
            "CP2K ended with exit code 1",
            id="CP2K's own abort",
        ),
        pytest.param(
            'cp2k.psmp "$@" > all.out; head -c -3000 all.out',
            "CP2K wrote an output that is cut short",
            id="output truncated, exit code 0",
        ),
    ],
)
def test_crash(folder, labelled, code, message):
    """Other ends of a real CP2K, as the names say."""
    runs.fault(folder, code)
    two_frames_are_missing_and_one_fails(folder, labelled, message)


@pytest.mark.faults
def test_hang(folder, labelled):
    """A real CP2K that is stopped (SIGSTOP) in its SCF and never goes on."""
    runs.change_settings(folder, timeout_s=60)
    runs.fault(folder, AFTER_A_WHILE.format(command="kill -STOP $$"))
    message = "CP2K stopped at the time limit of 60 s (cp2k.timeout_s)"
    two_frames_are_missing_and_one_fails(folder, labelled, message)


@pytest.mark.faults
def test_one_of_two_side_by_side_is_killed(folder, labelled):
    """SIGKILL of one of two CP2K that run at the same time in one job."""
    runs.change(folder, "dft", labels={"processes": 2})
    both = 'until [ "$(wc -l < "$here/starts")" -ge 2 ]; do sleep 0.05; done'
    runs.fault(folder, AFTER_A_WHILE.format(command=f"{both}; kill -KILL $$"))
    two_frames_are_missing_and_one_fails(folder, labelled, "CP2K was killed by signal 9")


@pytest.mark.faults
def test_worker_of_calculations_side_by_side_is_killed(folder, labelled):
    """SIGKILL of one of the two processes of the label job that each wait for a CP2K."""
    runs.change(folder, "dft", labels={"processes": 2})
    began = runs.start_run(folder, "dft", "labels")
    try:
        runs.wait_for(runs.in_scf(folder, 2), began)
        workers = runs.processes(folder, "label.py")
        assert len(workers) == 3
        os.kill(max(workers), signal.SIGKILL)
        output = began.communicate(timeout=300)[0]
    finally:
        runs.kill(began)
    assert began.returncode != 0
    assert "a process of the batch was killed" in output
    assert not runs.processes(folder, "")
    runs.finish(folder, "dft", "labels")
    runs.assert_same_labels(folder, labelled)
    runs.assert_nothing_half_done(folder)


@pytest.mark.faults
def test_damaged_wave_function(folder, labelled):
    """The wave function that the second frame takes from the first is cut: it starts from atoms."""
    second = f"truncate -s 1000 minset-RESTART.wfn\n{REAL}"
    runs.script(folder / "second", f"#!/bin/sh\n{second}\n")
    runs.fault(folder, f'mv "$here/second" "$here/fault"\n{REAL}')
    runs.assert_labels_finish(folder, labelled, 3)


@pytest.mark.faults
def test_not_converged(folder, labelled):
    """Real CP2K that may not take enough SCF steps: a failure for good until the study says more."""
    runs.change_settings(folder, max_scf=1, max_outer_scf=1)
    failed = runs.run(folder, "dft", runs.DATASET)
    assert failed.status != 0
    assert "SCF not converged" in failed.output
    assert len(runs.starts(folder)) == 4  # each frame with both minimisers
    again = runs.run(folder, "dft", runs.DATASET)
    assert again.status != 0
    assert len(runs.starts(folder)) == 4
    table = runs.LABELS.format("dft", runs.SETS[1])
    assert f"`snakemake --forcerun {table}`" in again.output
    runs.change_settings(folder, max_scf=5, max_outer_scf=20)
    runs.finish(folder, "dft", runs.DATASET, "--forcerun", table)
    assert len(runs.starts(folder)) == 6
    runs.assert_same_labels(folder, labelled)


@pytest.mark.faults
def test_not_installed(folder, labelled):
    """The program of cp2k.command is not there."""
    shutil.move(folder / "cp2k", folder / "away")
    failed = runs.run(folder, "dft", "labels")
    assert failed.status != 0
    assert "there is no program './cp2k' here. Install CP2K with" in failed.output
    assert "Traceback" not in failed.output
    assert not list((folder / runs.STORE).glob("failures/*"))
    assert not (folder / runs.LABELS.format("dft", runs.SETS[1])).exists()
    shutil.move(folder / "away", folder / "cp2k")
    runs.finish(folder, "dft", "labels")
    assert len(runs.starts(folder)) == 2
    runs.assert_same_labels(folder, labelled)


@pytest.mark.faults
@pytest.mark.parametrize("processes", [1, 2])
def test_a_version_whose_words_are_not_known(folder, labelled, processes):
    """A real CP2K that words its energy as none did: the job stops, and no frame is to blame."""
    runs.change(folder, "dft", labels={"processes": processes})
    ours = (folder / "cp2k").read_text()
    words = "sed 's/ENERGY| Total FORCE_EVAL/ENERGY: the total/'"
    runs.script(folder / "cp2k", ours.replace('exec cp2k.psmp "$@"', f'cp2k.psmp "$@" | {words}'))
    failed = runs.run(folder, "dft", "labels")
    assert failed.status != 0
    assert "ended normally, but minset finds no total energy in" in failed.output
    assert "Traceback" not in failed.output
    assert 1 <= len(runs.starts(folder)) <= processes
    assert not list((folder / runs.STORE).glob("failures/*"))
    assert not (folder / runs.LABELS.format("dft", runs.SETS[1])).exists()
    assert not runs.processes(folder, "")
    began = len(runs.starts(folder))
    runs.script(folder / "cp2k", ours)
    runs.assert_labels_finish(folder, labelled, began + 2)


@pytest.mark.faults
def test_a_frame_that_always_crashes_counts_as_failed_in_the_end(folder, labelled):
    """A CP2K that always crashes on one frame: after three runs the study's failed_share decides."""
    # the first of its job: others are tried from the wave function before, then from atoms
    key = runs.keys(labelled, "dft", runs.SETS[1])[0]
    crashing = (
        (folder / "cp2k")
        .read_text()
        .replace("exec cp2k.psmp", f'[ "$key" = {key} ] && exit 7\nexec cp2k.psmp')
    )
    runs.script(folder / "cp2k", crashing)
    runs.change(folder, "dft", labels={"failed_share": 0.4})
    for _ in range(2):
        failed = runs.run(folder, "dft", runs.DATASET)
        assert failed.status != 0
        assert "CP2K ended with exit code 7" in failed.output
    runs.finish(folder, "dft", runs.DATASET)
    assert runs.starts(folder).count(key) == 3
    assert "not computed again" in (folder / runs.LABELS.format("dft", runs.SETS[1])).read_text()
    runs.finish(folder, "dft", runs.DATASET)
    assert runs.starts(folder).count(key) == 3
