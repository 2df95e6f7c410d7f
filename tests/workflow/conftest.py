"""Copies of the repository: one per module with a short study, one with the demo run to its end."""

from pathlib import Path

import pytest
from running import SHORT, WHOLE, clone_repository, snakemake


@pytest.fixture(scope="module")
def copy(tmp_path_factory) -> Path:
    """A clone with a short study."""
    folder = clone_repository(tmp_path_factory.mktemp("clone"))
    (folder / "config/studies/short.yaml").write_text(SHORT)
    return folder


@pytest.fixture(scope="session")
def whole(tmp_path_factory) -> Path:
    """A clone with the demo study run to its end, without MDSuite where its environment is missing."""
    folder = clone_repository(tmp_path_factory.mktemp("whole"))
    done = snakemake(folder, WHOLE, "--cores", "2", seconds=800)
    assert done.status == 0, done.output[-5000:]
    return folder
