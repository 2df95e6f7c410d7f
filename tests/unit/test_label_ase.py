"""The ase labeler: whose fault a failure is, what counts in the key, one calculator for a job."""

import json
import os
import shutil
import time
from pathlib import Path

import numpy as np
import pytest
from ase.build import bulk

from minset.label import LABELERS, calculator
from minset.label.batch import label_batch
from minset.label.check import check_label
from minset.label.store import LabelerUnusable, LabelFailed, RawLabel, label_key, read_label

ODD = Path(__file__).parents[1] / "odd_calculators.py"
EMT = {"calculator": "ase.calculators.emt:EMT"}


@pytest.fixture(autouse=True)
def repository(tmp_path, monkeypatch):
    """A current directory with the odd factories; no calculator is left."""
    shutil.copy(ODD, tmp_path / "factories.py")
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    calculator._close()


def odd(do: str, **more) -> dict:
    given = {"calculator": "factories:Odd", "parameters": {"do": do}, "files": ["factories.py"]}
    return given | more


def frames(count: int = 3) -> list:
    made = []
    for seed in range(count):
        atoms = bulk("Cu", cubic=True)
        atoms.rattle(0.1, seed=seed)
        made.append((f"frame-{seed}", atoms))
    return made


def label(given: dict, count: int = 3, processes: int = 1) -> list[dict]:
    assert calculator.mistakes({}, given) == []
    settings = calculator.settings_of({}, given)
    folders = Path("store"), Path("scratch")
    arguments = (LABELERS["ase"], settings, *folders, 0.01, str, 1, processes)
    return label_batch(frames(count), *arguments)


@pytest.mark.parametrize("processes", [1, 2])
def test_labels_are_those_of_the_calculator(processes):
    from ase.calculators.emt import EMT as Here

    for row, (_, atoms) in zip(label(EMT, 4, processes), frames(4), strict=True):
        assert row["status"] == "labelled", row["reason"]
        stored, atoms.calc = read_label(Path("store"), row["key"]), Here()
        assert stored.energy_eV == atoms.get_potential_energy()
        np.testing.assert_array_equal(stored.forces_eV_A, atoms.get_forces())
        np.testing.assert_allclose(stored.stress_eV_A3, atoms.get_stress(voigt=False), atol=1e-15)
        assert stored.provenance["version"].startswith("ase 3.")


def test_one_calculator_serves_all_frames_of_a_job():
    """It counts its calls; the stated energy is that of the forces, not the other one."""
    energies = [read_label(Path("store"), row["key"]).energy_eV for row in label(odd("nothing"))]
    assert energies == [2.0, 4.0, 6.0]


def test_labels_without_stress(tmp_path):
    given = {"calculator": "factories:without_stress", "files": ["factories.py"]}
    (row, *_) = label(given)
    assert row["status"] == "labelled"
    assert read_label(Path("store"), row["key"]).stress_eV_A3 is None
    check_label(RawLabel(0.0, np.zeros((2, 3)), None), 2, 0.01)


@pytest.mark.parametrize(
    ("do", "permanent", "reason"),
    [
        ("raise", True, "the calculator raised SCFError: no luck"),
        ("raise its own", True, "the calculator raised KohnShamConvergenceError: 200 steps"),
        ("lack a file", False, "the calculator raised FileNotFoundError"),
        ("unconverged", True, "the calculator says that it is not converged"),
        ("nan", True, "forces with values that are not finite"),
        ("exit", False, "the calculator ended: its process ended with exit code 3"),
        ("segfault", False, "the calculator ended: its process was killed by signal 11"),
    ],
)
def test_each_frame_that_fails_has_its_reason(do, permanent, reason):
    rows = label(odd(do), 2)
    assert [row["status"] for row in rows] == ["failed"] * 2
    for row in rows:
        assert row["try_again"] is not permanent
        assert row["reason"].startswith(reason)
        assert "\n" not in row["reason"]


def test_what_a_failed_calculation_printed_is_kept():
    (row,) = label(odd("exit"), 1)
    failure = json.loads((Path("store/failures") / f"{row['key']}.json").read_text())
    assert (Path("store") / failure["output"]).read_text() == "leaving\n"


def test_what_is_not_implemented_is_permanent():
    atoms = bulk("NaCl", "rocksalt", a=5.6)
    settings = calculator.settings_of({}, EMT)
    with pytest.raises(LabelFailed, match="No EMT-potential for") as failed:
        calculator.label(atoms, settings, Path("work"), 1)
    assert failed.value.permanent


def test_a_time_limit_is_told_with_its_key_and_the_next_frame_is_labelled():
    started = time.monotonic()
    settings = calculator.settings_of({}, odd("hang")) | {"timeout_s": 15.0}
    (_, atoms), (_, other), _ = frames()
    calculator.label(atoms, settings, Path("work"), 1)
    message = r"time limit of 15 s \(labels\.settings\.timeout_s\)"
    with pytest.raises(LabelFailed, match=message) as failed:
        calculator.label(other, settings, Path("work"), 1)
    assert not failed.value.permanent
    assert calculator.label(other, settings, Path("work"), 1).energy_eV == 2.0
    assert time.monotonic() - started < 120


@pytest.mark.parametrize("processes", [1, 2])
@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"calculator": "no_such.module:make"}, "cannot import no_such.module"),
        ({"calculator": "ase.calculators.emt:EMTT"}, "has no EMTT, .*; it has EMT"),
        (odd("nothing", parameters={"dow": 1}), "`parameters`: TypeError: .*'dow'"),
        (EMT | {"python": ".venv-missing/bin/python"}, "there is no Python '.venv-missing/bin/p"),
        (odd("lack a module"), "lacks something: ModuleNotFoundError: .*no_such_module"),
        (odd("lack a program"), "lacks something: FileNotFoundError: .*no-such-program"),
    ],
)
def test_what_is_missing_stops_the_batch_and_no_frame_is_blamed(given, message, processes):
    with pytest.raises(LabelerUnusable, match=message) as unusable:
        label(given, 3, processes)
    assert "labels.settings.calculator" in str(unusable.value)
    assert "\n" not in str(unusable.value)
    assert not list(Path("store").glob("failures/*"))


def key(given: dict) -> str:
    atoms = frames(1)[0][1]
    return label_key(atoms, "ase", calculator.physics(calculator.settings_of({}, given), atoms))


def test_files_count_by_their_content_and_not_by_their_place():
    Path("weights").write_bytes(b"1")
    Path("elsewhere").mkdir()
    shutil.copy("weights", "elsewhere/other")
    given = [
        EMT | {"parameters": {"deep": [{"model": place}]}, "files": [place]}
        for place in ("weights", "elsewhere/other")
    ]
    assert key(given[0]) == key(given[1])
    before = key(given[0])
    Path("weights").write_bytes(b"2")
    assert key(given[0]) != before
    assert key(EMT) != key(EMT | {"parameters": {"fix": 1}})


def test_a_file_in_the_parameters_reaches_the_factory_by_its_whole_path():
    Path("weights").write_bytes(b"1")
    Path("own.py").write_text(
        "from ase.calculators.emt import EMT\n"
        "def make(model):\n    open(model[0]).close()\n    return EMT()\n"
    )
    given = {"calculator": "own:make", "parameters": {"model": ["weights"]}}
    (row,) = label(given | {"files": ["own.py", "weights"]}, 1)
    assert row["status"] == "labelled"
    settings = calculator.settings_of({}, given | {"files": ["own.py", "weights"]})
    Path("weights").write_bytes(b"2")
    calculator._close()
    with pytest.raises(LabelerUnusable, match=r"own\.py, weights one has changed"):
        calculator.label(frames(1)[0][1], settings, Path("work"), 1)


def test_a_package_that_was_changed_meanwhile_is_told():
    settings = calculator.settings_of({}, EMT) | {"version": "ase 3.1"}
    with pytest.raises(LabelerUnusable, match=r"is ase 3\.\S+, and was ase 3.1 when the run began"):
        calculator.label(frames(1)[0][1], settings, Path("work"), 1)


def test_mistakes_are_told_before_a_run():
    Path("elsewhere").mkdir()
    Path("elsewhere/weights").touch()
    system = {"name": "Cu"}
    assert calculator.mistakes(system, EMT) == []
    (mistake,) = calculator.mistakes(system, EMT | {"files": ["no-file"]})
    assert mistake.startswith(
        "labels.settings.files: there is no file no-file for the labels of Cu"
    )
    assert os.getcwd() in mistake
    (mistake,) = calculator.mistakes(system, odd("nothing", files=[]))
    assert mistake.startswith("labels.settings.files: name factories.py here, the module of the ")
    given = EMT | {"parameters": {"model": ["elsewhere/weights"]}}
    (mistake,) = calculator.mistakes(system, given)
    assert mistake.startswith("labels.settings.files: name elsewhere/weights here, a file that `p")
