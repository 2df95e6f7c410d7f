"""Copies of the repository in which faults are injected, and the runs without faults."""

import shutil
from pathlib import Path

import pytest

from faults import runs


@pytest.fixture(scope="session")
def empty(tmp_path_factory) -> Path:
    """A copy of the repository in which nothing has run."""
    return runs.clone(tmp_path_factory.mktemp("empty"))


@pytest.fixture(scope="session")
def selected(empty, tmp_path_factory) -> Path:
    """The same with pool and selections of both studies, before any label."""
    folder = runs.copied(empty, tmp_path_factory.mktemp("selected") / "copy")
    for study in runs.STUDIES:
        runs.finish(folder, study, runs.SELECTION.format(study))
    return folder


@pytest.fixture(scope="session")
def whole(selected, tmp_path_factory) -> Path:
    """The study with classical labels run to its end without any fault."""
    folder = runs.copied(selected, tmp_path_factory.mktemp("whole") / "copy")
    runs.finish(folder, "classical", runs.VERDICT, runs.TABLE)
    return folder


@pytest.fixture(scope="session")
def labelled(selected, tmp_path_factory) -> Path:
    """The labels of the study with CP2K, without any fault."""
    folder = runs.copied(selected, tmp_path_factory.mktemp("labelled") / "copy")
    runs.finish(folder, "dft", "labels")
    assert len(runs.starts(folder)) == runs.FRAMES
    return folder


@pytest.fixture
def fresh(selected, tmp_path):
    """A copy of its own for a test; no stored label is computed again in it, whatever happens."""
    copy = runs.copied(selected, tmp_path / "copy")
    yield copy
    assert runs.repeated(copy) == 0


@pytest.fixture
def done(whole, tmp_path) -> Path:
    """A copy of the finished study for a test."""
    return runs.copied(whole, tmp_path / "copy")


@pytest.fixture
def nearly_labelled(labelled, fresh) -> Path:
    """The labels of the study with CP2K but for two frames of a set, and for the table of that set."""
    shutil.copytree(labelled / "results", fresh / "results", dirs_exist_ok=True)
    for key in runs.keys(fresh, "dft", runs.SETS[1])[:2]:
        runs.label_file(fresh, key).unlink()
    (fresh / runs.LABELS.format("dft", runs.SETS[1])).unlink()
    return fresh
