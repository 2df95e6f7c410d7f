"""Two runs at the same time: the second is refused, or they share the labels."""

import shutil

import pandas as pd
import pytest

from faults import runs

pytestmark = [runs.needs_cp2k, pytest.mark.timeout(1800)]


def both(*began) -> list[str]:
    try:
        return [process.communicate(timeout=600)[0] for process in began]
    finally:
        for process in began:
            runs.kill(process)


def test_second_run_in_the_same_folder_is_refused(nearly_labelled, labelled):
    """Two Snakemakes with the same study in the same folder."""
    folder = nearly_labelled
    first = runs.start_run(folder, "dft", "labels")
    try:
        runs.wait_for(runs.in_scf(folder, 1), first)
        second = runs.run(folder, "dft", "labels")
        assert second.status != 0
        assert "Directory cannot be locked" in second.output
    finally:
        (output,) = both(first)
    assert first.returncode == 0, output
    assert len(runs.starts(folder)) == 2
    runs.assert_same_labels(folder, labelled)
    runs.assert_nothing_half_done(folder)


def test_status_beside_a_run(nearly_labelled):
    """What `make status` says while a frame is in work, and when all are done."""
    folder = nearly_labelled
    began = runs.start_run(folder, "dft", "labels")
    try:
        runs.wait_for(runs.in_scf(folder, 1), began)
        jobs, frames, output = runs.status(folder, "dft")
    finally:
        both(began)
    assert (jobs, frames) == (["1", "1", "0", "0"], ["4", "1", "0", "1"])
    assert "Snakemake runs" in output
    jobs, frames, _ = runs.status(folder, "dft")
    assert (jobs, frames) == (["2", "0", "0", "0"], ["6", "0", "0", "0"])


@pytest.mark.faults
def test_two_runs_without_lock_share_the_labels(nearly_labelled, labelled):
    """Two Snakemakes with the same study in the same folder, both with --nolock."""
    folder = nearly_labelled
    for pattern in (f"{runs.STORE}/??/*.json", runs.LABELS.format("dft", "*")):
        for path in folder.glob(pattern):
            path.unlink()
    began = [runs.start_run(folder, "dft", "labels", "--nolock", cores=1) for _ in range(2)]
    for process, output in zip(began, both(*began), strict=True):
        assert process.returncode == 0, output
    assert sorted(runs.starts(folder)) == sorted(runs.stored(labelled))
    runs.assert_same_labels(folder, labelled)
    runs.assert_nothing_half_done(folder)


@pytest.mark.faults
def test_two_studies_share_the_labels(fresh, labelled):
    """Two studies of one system start at once and want some of the same frames."""
    path = fresh / "config/studies/dft.yaml"
    shutil.copy2(path, path.with_name("more.yaml"))
    runs.change(fresh, "more", labels={"frames_per_job": 2}, sizes=[5])
    runs.finish(fresh, "more", "results/kcl/selection/more/random-n5-s1.csv")
    began = [runs.start_run(fresh, study, "labels", cores=1) for study in ("dft", "more")]
    for process, output in zip(began, both(*began), strict=True):
        assert process.returncode == 0, output
    assert len(runs.starts(fresh)) == len(set(runs.starts(fresh))) == runs.FRAMES + 2
    tables = fresh.glob("results/kcl/label/*/*/part-*.csv")
    rows = pd.concat(pd.read_csv(table).assign(study=table.parent.parent.name) for table in tables)
    assert set(rows["status"]) == {"labelled"}
    assert (~rows["reused"]).sum() == runs.FRAMES + 2
    assert rows.groupby("study").size().to_dict() == {"dft": runs.FRAMES, "more": runs.FRAMES + 2}
    runs.assert_same_files(fresh, labelled, runs.SELECTION.format("dft"))
