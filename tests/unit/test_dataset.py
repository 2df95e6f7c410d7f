"""Datasets: only labels of one kind get in, and any reader of extended XYZ gets them out."""

import ase.io
import label_batch
import labels_table as labels_table_script
import numpy as np
import pandas as pd
import pytest
from ase import Atoms
from conftest import label_settings

from minset.dataset import labelled, labels_table, read_dataset, write_dataset
from minset.label.store import Label, label_key, label_path, write_label

ORIGIN = "results/kcl/selection/demo/rnd-s1.csv"


def frame(index: int) -> Atoms:
    positions = np.random.default_rng(index).uniform(0, 6, (4, 3))
    return Atoms("K2Cl2", positions, cell=[6.0, 6.5, 7.0], pbc=True)


def fill(store, indices, settings=None) -> pd.DataFrame:
    """Labels of some frames in the store, and their table."""
    settings = settings or {"cutoff_Ry": 300}
    rows = []
    for index in indices:
        rng, atoms = np.random.default_rng(1000 + index), frame(index)
        stress = rng.normal(size=(3, 3)) * 1e-3
        label = Label(
            key=label_key(atoms, "toy", settings),
            atoms=atoms,
            energy_eV=float(rng.normal()),
            forces_eV_A=rng.normal(size=(4, 3)),
            stress_eV_A3=stress + stress.T,
            provenance={"labeler": "toy", "settings": settings},
        )
        write_label(store, label)
        rows.append({"frame": index, "key": label.key, "status": "labelled", "reason": ""})
    return pd.DataFrame(rows)


def failed(table: pd.DataFrame, *frames: int) -> pd.DataFrame:
    table = table.copy()
    table.loc[table["frame"].isin(frames), ["status", "reason"]] = ["failed", "SCF not converged"]
    return table


@pytest.fixture
def store(tmp_path):
    return tmp_path / "store"


def test_batches_become_one_table_in_the_order_of_the_frames(store):
    table = fill(store, range(6))
    joined = labels_table([table[table["frame"] % 2 == b] for b in (1, 0)], failed_share=0.0)
    pd.testing.assert_frame_equal(joined, table)


def test_a_batch_without_frames_does_not_stop_the_study(small_pool, kcl, tmp_path):
    """Frames go to batches by their index, so one can be left with none."""
    pd.DataFrame({"frame": [0, 2], "role": ["test", "candidate"]}).to_csv(tmp_path / "split.csv")
    pd.DataFrame({"frame": [2]}).to_csv(tmp_path / "random-s1.csv")
    for batch in (0, 1):
        label_batch.main(
            small_pool[0],
            tmp_path / "split.csv",
            [tmp_path / "random-s1.csv"],
            tmp_path / f"batch-{batch}.csv",
            batch,
            labels={"batches": 2, "labeler": "lammps", "net_force_gate_eV_A": 0.01},
            settings=label_settings(kcl),
            store=tmp_path / "store",
        )
    tables = [tmp_path / f"batch-{batch}.csv" for batch in (0, 1)]
    labels_table_script.main(tables, tmp_path / "labels.csv", failed_share=0.0)
    assert pd.read_csv(tmp_path / "labels.csv")["frame"].tolist() == [0, 2]


def test_failures_up_to_the_allowed_share_stay_in_the_table(store):
    table = failed(fill(store, range(10)), 3)
    assert labels_table([table], failed_share=0.1)["status"].tolist().count("failed") == 1


def test_more_failures_than_allowed_stop_the_study_with_their_reasons(store):
    table = failed(fill(store, range(10)), 3, 7)
    with pytest.raises(ValueError, match="2 of 10 frames have no label") as caught:
        labels_table([table], failed_share=0.1)
    message = str(caught.value)
    assert "the study allows 10% (labels.failed_share)" in message
    assert "  frame 3: SCF not converged\n  frame 7: SCF not converged" in message


def test_frames_come_in_the_order_of_the_picks_with_their_provenance(store):
    table = fill(store, range(5))
    atoms = labelled([4, 0, 2], table, store, ORIGIN)
    assert [a.info["frame"] for a in atoms] == [4, 0, 2]
    assert [a.info["label_key"] for a in atoms] == [table["key"][i] for i in (4, 0, 2)]
    assert {(a.info["origin"], a.info["labeler"]) for a in atoms} == {(ORIGIN, "toy")}
    np.testing.assert_array_equal(atoms[0].positions, frame(4).positions)


def test_a_failed_frame_is_left_out_and_named(store, capsys):
    table = failed(fill(store, range(4)), 2)
    assert [a.info["frame"] for a in labelled([1, 2, 3], table, store, ORIGIN)] == [1, 3]
    assert "frame 2 is left out: SCF not converged" in capsys.readouterr().out


def test_a_dataset_without_any_label_is_an_error(store):
    table = failed(fill(store, range(2)), 0, 1)
    with pytest.raises(ValueError, match="none of the 2 frames has a label"):
        labelled([0, 1], table, store, ORIGIN)


def test_labels_of_different_settings_do_not_meet(store):
    table = pd.concat([fill(store, [0, 1]), fill(store, [2], {"cutoff_Ry": 400})])
    with pytest.raises(ValueError, match="frame 2 was labelled with other settings"):
        labelled([0, 1, 2], table, store, ORIGIN)


def test_a_label_that_vanished_is_named_with_the_remedy(store):
    table = fill(store, range(3))
    label_path(store, table["key"][1]).unlink()
    with pytest.raises(ValueError, match=r"label of frame 1 .* is no longer in") as caught:
        labelled([0, 1, 2], table, store, ORIGIN)
    assert "snakemake --forcerun label" in str(caught.value)


def test_extended_xyz_gives_back_what_was_written(store, tmp_path):
    atoms = labelled(range(3), fill(store, range(3)), store, ORIGIN)
    write_dataset(tmp_path / "train.extxyz", atoms)
    back = read_dataset(tmp_path / "train.extxyz")
    assert len(back) == 3
    for read, written in zip(back, atoms, strict=True):
        assert read.info == written.info
        assert read.get_chemical_symbols() == ["K", "K", "Cl", "Cl"]
        assert read.pbc.all()
        assert read.get_potential_energy() == pytest.approx(written.get_potential_energy())
        np.testing.assert_allclose(read.cell, written.cell)
        for quantity in ("positions", "forces", "stress"):
            values = [getattr(a, f"get_{quantity}")() for a in (read, written)]
            np.testing.assert_allclose(*values, atol=1e-7)


def test_the_comment_line_has_the_names_that_other_programs_expect(store, tmp_path):
    """ASE, MACE and NequIP look for energy and stress in it and for a column of forces."""
    path = tmp_path / "train.extxyz"
    write_dataset(path, labelled([0], fill(store, [0]), store, ORIGIN))
    comment = path.read_text().splitlines()[1]
    for entry in ("Properties=species:S:1:pos:R:3:forces:R:3", " energy=", ' stress="', "Lattice="):
        assert entry in comment
    # the stress is the full symmetric tensor, nine numbers
    assert len(comment.split(' stress="')[1].split('"')[0].split()) == 9


def test_plain_ase_reads_it_without_being_told_the_format(store, tmp_path):
    atoms = labelled([0, 1], fill(store, [0, 1]), store, ORIGIN)
    write_dataset(tmp_path / "train.extxyz", atoms)
    last = ase.io.read(tmp_path / "train.extxyz")
    assert {"energy", "forces", "stress"} <= set(last.calc.results)
    np.testing.assert_allclose(last.get_forces(), atoms[1].get_forces(), atol=1e-7)


def test_the_same_labels_give_the_same_bytes(store, tmp_path):
    table = fill(store, range(3))
    for name in ("a.extxyz", "b.extxyz"):
        write_dataset(tmp_path / name, labelled([2, 0], table, store, ORIGIN))
    assert (tmp_path / "a.extxyz").read_bytes() == (tmp_path / "b.extxyz").read_bytes()
