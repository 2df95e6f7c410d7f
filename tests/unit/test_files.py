"""Files appear whole or not at all, and half-done work is only continued by the same computation."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import minset
from minset.files import file_hash, working_folder, write_csv, write_json, write_text, written_aside


def test_a_file_appears_with_its_folder_under_its_name_alone(tmp_path):
    path = tmp_path / "new/folder/table.csv"
    with written_aside(path) as aside:
        assert aside.parent == path.parent
        assert aside.suffix == ".csv"  # writers choose their format by it
        aside.write_text("whole")
        assert not path.exists()
    assert path.read_text() == "whole"
    assert os.listdir(path.parent) == ["table.csv"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_exception_leaves_the_old_file_and_no_other(error, tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("old")

    def write_half():
        with written_aside(path) as aside:
            aside.write_text("half of it")
            raise error

    with pytest.raises(error):
        write_half()
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["table.csv"]


def test_a_writer_that_wrote_nothing_is_an_error_and_keeps_the_old_file(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("old")
    with pytest.raises(FileNotFoundError), written_aside(path):
        pass
    assert path.read_text() == "old"


def test_nan_does_not_get_into_json(tmp_path):
    write_json(tmp_path / "a.json", {"value": 1.0})
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "a.json", {"value": float("nan")})
    assert '"value": 1.0' in (tmp_path / "a.json").read_text()
    assert os.listdir(tmp_path) == ["a.json"]


def test_tables_keep_their_floats(tmp_path):
    table = pd.DataFrame({"energy_eV": np.random.default_rng(1).normal(size=50) / 3})
    write_csv(tmp_path / "a.csv", table)
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "a.csv"), table, check_exact=True)


def test_the_hash_is_that_of_the_content(tmp_path):
    for name in ("a", "b"):
        write_text(tmp_path / name, "same")
    assert file_hash(tmp_path / "a") == file_hash(tmp_path / "b")
    write_text(tmp_path / "b", "other")
    assert file_hash(tmp_path / "a") != file_hash(tmp_path / "b")


@pytest.mark.parametrize("old", [None, "old content"])
def test_a_kill_in_the_middle_of_a_write_leaves_what_was_there(old, tmp_path):
    path = tmp_path / "table.csv"
    if old is not None:
        path.write_text(old)
    script = """
import sys, time
from pathlib import Path
from minset.files import written_aside
with written_aside(Path(sys.argv[1])) as aside, open(aside, "w") as file:
    file.write("half of it")
    file.flush()
    print("writing", flush=True)
    time.sleep(60)
"""
    process = subprocess.Popen(
        [sys.executable, "-c", script, path],
        env=os.environ | {"PYTHONPATH": str(Path(minset.__file__).parents[1])},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout.readline() == "writing\n"
    finally:
        process.send_signal(signal.SIGKILL)
        process.communicate()
    assert path.exists() == (old is not None)
    assert old is None or path.read_text() == old
    # what the kill left has another name, and does not stand in the way
    write_text(path, "whole")
    assert path.read_text() == "whole"


def test_the_same_computation_goes_on_where_it_stood(tmp_path):
    identity = {"settings": {"cutoff_A": 6.0, "hidden": (8, 8)}, "inputs": ["0a1b"]}
    folder = working_folder(tmp_path / "deep/work", identity)
    (folder / "checkpoint").write_text("epoch 7")
    again = working_folder(tmp_path / "deep/work", dict(reversed(identity.items())))
    assert (again / "checkpoint").read_text() == "epoch 7"


def test_another_computation_starts_in_an_empty_folder(tmp_path):
    folder = working_folder(tmp_path / "work", {"seed": 1})
    (folder / "checkpoint").write_text("epoch 7")
    working_folder(tmp_path / "work", {"seed": 2})
    assert os.listdir(folder) == ["identity.json"]


def test_a_folder_of_unknown_origin_is_not_continued(tmp_path):
    (tmp_path / "work").mkdir()
    (tmp_path / "work/checkpoint").write_text("epoch 7")
    working_folder(tmp_path / "work", {"seed": 1})
    assert os.listdir(tmp_path / "work") == ["identity.json"]
