"""Published labels: the store's own, to the last bit, or refused."""

import io
import json
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

import ase.io
import numpy as np
import pytest
from ase import Atoms
from samples import label_settings
from studies import CONFIG

from minset.label import LABELERS
from minset.label.batch import label_batch
from minset.label.store import (
    Failure,
    Label,
    failure_path,
    label_key,
    label_path,
    read_failure,
    read_label,
    write_failure,
    write_label,
)
from minset.pool.reading import read_run
from minset.published.frames import (
    FAILURES,
    LABELS,
    failure_text,
    geometry_hash,
    geometry_text,
    label_of_block,
    label_text,
    read_blocks,
)
from minset.published.taking import take_labels
from minset.study import read_study

CP2K = LABELERS["cp2k"]
GATE = 0.01


@pytest.fixture(scope="module")
def settings() -> dict:
    study = read_study("demo", CONFIG)
    return study.label_settings("kcl") | study.label_effort("kcl")


def frames(count: int, seed: int = 7) -> list[Atoms]:
    """Triclinic, with numbers of all sizes and signs."""
    rng = np.random.default_rng(seed)
    images = []
    for _ in range(count):
        cell = np.diag([9, 9.5, 10]) + rng.normal(size=(3, 3)) * 0.1
        positions = rng.normal(size=(8, 3)) * 10.0 ** rng.integers(-9, 2, size=(8, 3))
        images.append(Atoms("K4Cl4", positions, cell=cell, pbc=True))
    images[0].positions[0] = [0.0, -0.0, 1e-300]
    return images


def label_of(atoms: Atoms, settings: dict, **more) -> Label:
    """What CP2K might have said of a frame: numbers with all their digits."""
    rng = np.random.default_rng(int(abs(atoms.positions).sum() * 1e6) % 2**31)
    forces = rng.normal(size=(len(atoms), 3)) * 10.0 ** rng.integers(-12, 1, size=(len(atoms), 3))
    stress = rng.normal(size=(3, 3)) / 7
    decides = CP2K.physics(settings, atoms)
    provenance = {
        "scf_steps": 9,
        "attempts": 1,
        "guess": 'previous "frame" \\ Å',
        "version": "CP2K 2023.1",
        "command": "/home/somebody/bin/cp2k.psmp",
        "labeler": "cp2k",
        "settings": decides,
        "seconds": 81.1 / 3,
        "net_force_eV_A": 1e-5 / 3,
    }
    key = label_key(atoms, "cp2k", decides)
    energy = -18874 - rng.random()
    label = Label(key, atoms, energy, forces - forces.mean(0), (stress + stress.T) / 2, provenance)
    return replace(label, **more)


def published(folder: Path, labels: list[Label]) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / LABELS).write_text("".join(map(label_text, labels)))
    return folder


def unusable(settings: dict) -> dict:
    return settings | {"command": "there-is-no-such-program"}


def test_the_stores_files_come_back_to_the_last_bit(tmp_path, settings):
    labels = [label_of(atoms, settings) for atoms in frames(5)]
    folder = published(tmp_path / "published", labels)
    for label in labels:
        del label.provenance["command"]
        write_label(tmp_path / "first", label)
    assert take_labels(folder, frames(5), CP2K, settings, tmp_path / "second", print) == 5
    for label in labels:
        first, second = (label_path(tmp_path / name, label.key) for name in ("first", "second"))
        assert first.read_bytes() == second.read_bytes()
    again = [read_label(tmp_path / "second", label.key) for label in labels]
    assert "".join(map(label_text, again)) == (folder / LABELS).read_text()


def test_what_names_a_machine_is_not_published(settings):
    assert "somebody" not in label_text(label_of(frames(1)[0], settings))


def test_ase_reads_labels_and_where_they_are_from(tmp_path, settings):
    labels = [label_of(atoms, settings) for atoms in frames(3)]
    labels[1] = replace(labels[1], stress_eV_A3=None)
    path = published(tmp_path / "published", labels) / LABELS
    images = ase.io.read(path, ":")
    for label, image in zip(labels, images, strict=True):
        assert image.get_potential_energy() == label.energy_eV
        assert np.array_equal(image.get_forces(), label.forces_eV_A)
        assert np.array_equal(image.positions, label.atoms.positions)
        assert np.array_equal(image.cell, label.atoms.cell)
        assert image.info["label"]["settings"]["cutoff_Ry"] == 350
        assert image.info["label"]["guess"] == label.provenance["guess"]
    assert np.array_equal(images[0].get_stress(voigt=False), labels[0].stress_eV_A3)
    assert "stress" not in images[1].calc.results
    block = read_blocks(path)[labels[1].key]
    assert label_of_block(path, labels[1].key, block).stress_eV_A3 is None


def test_published_frames_are_labelled_where_there_is_no_program(tmp_path, settings):
    folder = published(tmp_path / "published", [label_of(atoms, settings) for atoms in frames(2)])
    images, here = frames(2), unusable(settings)
    lines = []
    take_labels(folder, images, CP2K, here, tmp_path / "store", lines.append)
    named = list(zip("ab", images, strict=True))
    rows = label_batch(named, CP2K, here, tmp_path / "store", tmp_path / "work", GATE, lines.append)
    assert [row["status"] for row in rows] == ["labelled", "labelled"]
    assert all(row["reused"] for row in rows)
    assert rows[0]["seconds"] == 81.1 / 3
    assert lines[0].startswith("2 of 2 missing label(s)")
    assert take_labels(folder, images, CP2K, here, tmp_path / "store", lines.append) == 0


def test_a_frame_that_is_not_published_is_left_to_the_labeler(tmp_path, settings):
    folder = published(tmp_path / "published", [label_of(frames(1)[0], settings)])
    images = frames(3)
    assert take_labels(folder, images, CP2K, settings, tmp_path / "store", print) == 1
    named = [("new", images[2])]
    with pytest.raises(FileNotFoundError, match="no program 'there-is-no-such-program'"):
        label_batch(named, CP2K, unusable(settings), tmp_path / "store", tmp_path / "work", GATE)


def test_a_label_of_the_users_stays(tmp_path, settings):
    atoms = frames(1)[0]
    own = label_of(atoms, settings, energy_eV=-1.25)
    write_label(tmp_path / "store", own)
    folder = published(tmp_path / "published", [label_of(atoms, settings)])
    assert take_labels(folder, [atoms], CP2K, settings, tmp_path / "store", print) == 0
    assert read_label(tmp_path / "store", own.key).energy_eV == -1.25


def test_other_settings_are_refused_with_the_difference(tmp_path, settings):
    folder = published(tmp_path / "published", [label_of(frames(1)[0], settings)])
    other = settings | {"cutoff_Ry": 400, "dispersion": "rvv10"}
    said = (
        "published with cutoff_Ry 350, the study has 400; dispersion d3, the study has rvv10: set"
    )
    with pytest.raises(ValueError, match=said):
        take_labels(folder, frames(2), CP2K, other, tmp_path / "store", print)
    assert not list((tmp_path / "store").glob("??/*.json"))


def test_another_labeler_is_refused_by_name(tmp_path, settings, kcl):
    folder = published(tmp_path / "published", [label_of(frames(1)[0], settings)])
    with pytest.raises(ValueError, match="published with labeler cp2k, the study has potential"):
        take_labels(
            folder, frames(1), LABELERS["potential"], label_settings(kcl), tmp_path / "store"
        )


def test_the_same_command_or_limit_is_not_asked_for(tmp_path, settings):
    folder = published(tmp_path / "published", [label_of(frames(1)[0], settings)])
    here = unusable(settings) | {"timeout_s": 1.0, "max_scf": 77}
    assert take_labels(folder, frames(1), CP2K, here, tmp_path / "store", print) == 1


def test_a_number_that_was_changed_is_refused(tmp_path, settings):
    labels = [label_of(atoms, settings) for atoms in frames(2)]
    folder = published(tmp_path / "published", labels)
    whole = (folder / LABELS).read_text()
    force = repr(float(labels[0].forces_eV_A[3, 1]))
    changes = {
        repr(labels[0].energy_eV): repr(labels[0].energy_eV - 1e-9),
        force: repr(np.nextafter(float(force), 1.0)),
        '\\"seconds\\": 27.03': '\\"seconds\\": 26.03',
        '\\"cutoff_Ry\\": 350': '\\"cutoff_Ry\\": 360',
        "K 0.0 -0.0 1e-300": "K 0.0 -0.0 2e-300",
        labels[0].key: labels[0].key[::-1],
    }
    for before, after in changes.items():
        assert before in whole
        (folder / LABELS).write_text(whole.replace(before, after, 1))
        with pytest.raises(ValueError, match=r"damaged or was changed .*git checkout"):
            take_labels(folder, frames(1), CP2K, settings, tmp_path / "store", print)
    assert not list((tmp_path / "store").glob("??/*.json"))


@pytest.mark.parametrize("end", [-1, -30, -900, 3])
def test_a_file_that_is_cut_short_is_refused(tmp_path, settings, end):
    folder = published(tmp_path / "published", [label_of(atoms, settings) for atoms in frames(2)])
    (folder / LABELS).write_text((folder / LABELS).read_text()[:end])
    with pytest.raises(ValueError, match="damaged or was changed"):
        take_labels(folder, frames(1), CP2K, settings, tmp_path / "store", print)


def test_no_folder_is_nothing_published(tmp_path, settings):
    assert take_labels(tmp_path / "none", frames(1), CP2K, settings, tmp_path / "store") == 0


def _take(folder, settings, store):
    take_labels(folder, frames(20), CP2K, settings, store, lambda line: None)


def test_jobs_side_by_side_take_each_label_once(tmp_path, settings):
    labels = [label_of(atoms, settings) for atoms in frames(20)]
    folder = published(tmp_path / "published", labels)
    context = get_context("spawn")
    jobs = [
        context.Process(target=_take, args=(folder, settings, tmp_path / "store")) for _ in range(3)
    ]
    for job in jobs:
        job.start()
    for job in jobs:
        job.join()
        assert job.exitcode == 0
    assert all(read_label(tmp_path / "store", label.key) for label in labels)
    left = [p for p in (tmp_path / "store").glob("??/*") if p.suffix != ".json"]
    assert left == []


def failed(settings: dict) -> Failure:
    return Failure("SCF not converged in 200 steps", True, 1, "x/y.out", "cp2k", settings)


def test_a_frame_that_failed_is_not_computed_again(tmp_path, settings):
    atoms = frames(1)[0]
    key = label_key(atoms, "cp2k", CP2K.physics(settings, atoms))
    folder = tmp_path / "published"
    folder.mkdir()
    text = failure_text(key, atoms, failed(settings | {"command": "/home/me/cp2k"}), CP2K.effort)
    assert "/home/me" not in text
    (folder / FAILURES).write_text(text)
    here = unusable(settings)
    take_labels(folder, [atoms], CP2K, here, tmp_path / "store", print)
    assert read_failure(tmp_path / "store", key).reason == "SCF not converged in 200 steps"
    (row,) = label_batch([("a", atoms)], CP2K, here, tmp_path / "store", tmp_path / "work", GATE)
    assert row["status"] == "failed"
    assert row["reused"]
    assert not row["try_again"]
    failure_path(tmp_path / "store", key).unlink()
    (folder / FAILURES).write_text(text.replace("200 steps", "300 steps"))
    with pytest.raises(ValueError, match="damaged or was changed"):
        take_labels(folder, [atoms], CP2K, here, tmp_path / "store", print)


def test_a_failure_of_the_users_stays(tmp_path, settings):
    atoms = frames(1)[0]
    key = label_key(atoms, "cp2k", CP2K.physics(settings, atoms))
    write_failure(tmp_path / "store", key, replace(failed(settings), reason="mine"))
    (tmp_path / "published").mkdir()
    text = failure_text(key, atoms, failed(settings), CP2K.effort)
    (tmp_path / "published" / FAILURES).write_text(text)
    take_labels(tmp_path / "published", [atoms], CP2K, settings, tmp_path / "store", print)
    assert read_failure(tmp_path / "store", key).reason == "mine"


def through_the_pool(path: Path) -> list[Atoms]:
    run = {"paths": [str(path)], "every": 1}
    return read_run({"species": {"K": {}, "Cl": {}}}, run).frames


def test_a_pool_of_text_gives_the_same_frames(tmp_path, small_pool):
    """Written by publish.py with all digits, or by ASE with eight decimals of the positions."""
    images = small_pool[1][:8]
    exact = tmp_path / "pool.extxyz"
    exact.write_text("".join(geometry_text(f, {"temperature_K": 1500.0}) for f in images))
    assert geometry_hash(through_the_pool(exact)) == geometry_hash(images)
    assert ase.io.read(exact).info == {"temperature_K": 1500.0}

    bare = [Atoms(f.numbers, positions=f.positions, cell=f.cell, pbc=True) for f in images]
    short = tmp_path / "ase.extxyz"
    ase.io.write(short, bare, format="extxyz")
    once = through_the_pool(short)
    for frame, image in zip(once, images, strict=True):
        assert np.array_equal(frame.cell, image.cell)  # Lattice has all digits
        assert np.abs(frame.positions - image.positions).max() <= 0.5000001e-8
    text = io.StringIO()
    ase.io.write(
        text,
        [Atoms(f.numbers, positions=f.positions, cell=f.cell, pbc=True) for f in once],
        format="extxyz",
    )
    assert text.getvalue() == short.read_text()


def test_keys_of_any_form_are_texts(tmp_path, settings):
    """ASE would take a key of digits alone for a number."""
    label = label_of(frames(1)[0], settings)
    text = label_text(replace(label, key="1" * 32))
    info = next(ase.io.iread(io.StringIO(text), format="extxyz")).info
    assert json.loads(json.dumps(info["label"]))["key"] == "1" * 32
