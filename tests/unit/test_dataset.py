"""Datasets: only labels of one kind get in, and any reader of extended XYZ gets them out."""

import os
import shutil
import tempfile
from pathlib import Path

import ase.io
import numpy as np
import pandas as pd
import pytest
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator

from minset.dataset import labelled, read_dataset, read_label_tables, write_dataset
from minset.label.store import Label, label_key, label_path, write_label

ORIGIN = "results/kcl/pool/demo/pool.h5"


def frame(index: int) -> Atoms:
    positions = np.random.default_rng(index).uniform(0, 6, (4, 3))
    return Atoms("K2Cl2", positions, cell=[6.0, 6.5, 7.0], pbc=True)


def mixed(index: int) -> Atoms:
    """Frames of other elements, sizes and triclinic cells."""
    positions = np.random.default_rng(index).uniform(0, 4, (index + 1, 3))
    symbols = ["K", "Cl", "Na"][: index + 1]
    return Atoms(symbols, positions, cell=[[5, 0, 0], [1, 5, 0], [-2, 1, 5 + index]], pbc=True)


def fill(store, indices, settings=None, make=frame) -> pd.DataFrame:
    """Labels of some frames in the store, and their table."""
    given, rows = settings or {"cutoff_Ry": 300}, []
    for index in indices:
        rng, atoms = np.random.default_rng(1000 + index), make(index)
        settings = given(atoms) if callable(given) else given
        stress = rng.normal(size=(3, 3)) * 1e-3
        label = Label(
            key=label_key(atoms, "toy", settings),
            atoms=atoms,
            energy_eV=float(rng.normal()),
            forces_eV_A=rng.normal(size=(len(atoms), 3)),
            stress_eV_A3=stress + stress.T,
            provenance={"labeler": "toy", "settings": settings},
        )
        write_label(store, label)
        row = {"origin": ORIGIN, "frame": index, "key": label.key}
        rows.append(row | {"status": "labelled", "reason": ""})
    return pd.DataFrame(rows)


def failed(table: pd.DataFrame, *frames: int) -> pd.DataFrame:
    table = table.copy()
    table.loc[table["frame"].isin(frames), ["status", "reason"]] = ["failed", "SCF not converged"]
    return table


@pytest.fixture
def store(tmp_path):
    return tmp_path / "store"


def written(folder, tables: list[pd.DataFrame]) -> list:
    """Files of the tables of label jobs."""
    paths = [folder / f"part-{number}.csv" for number in range(len(tables))]
    for path, table in zip(paths, tables, strict=True):
        table.to_csv(path, index=False)
    return paths


def test_jobs_become_one_table_in_their_order(store, tmp_path):
    table = fill(store, range(6))
    paths = written(tmp_path, [table[3:], table[:0], table[:3]])
    joined = read_label_tables(paths)
    assert joined["frame"].tolist() == [3, 4, 5, 0, 1, 2]
    assert joined["frame"].dtype == table["frame"].dtype
    assert joined["table"].tolist() == [str(paths[0])] * 3 + [str(paths[2])] * 3
    assert list(joined.columns) == [*table.columns, "table"]


def test_jobs_without_frames_are_an_empty_table(store, tmp_path):
    """A selector can find nothing that is worth a label."""
    empty = fill(store, range(1))[:0]
    joined = read_label_tables(written(tmp_path, [empty, empty]))
    assert (len(joined), list(joined.columns)) == (0, [*empty.columns, "table"])


def test_failures_up_to_the_allowed_share_leave_a_dataset(store):
    table = failed(fill(store, range(10)), 3)
    assert len(labelled(table, store, failed_share=0.1)) == 9


def test_more_failures_than_allowed_stop_the_study_with_their_reasons(store):
    table = failed(fill(store, range(10)), 3, 7)
    with pytest.raises(ValueError, match="2 of 10 frames have no label") as caught:
        labelled(table, store, failed_share=0.1)
    message = str(caught.value)
    assert "the study allows 10% (labels.failed_share)" in message
    reason = f"of {ORIGIN}: SCF not converged"
    assert f"  frame 3 {reason}\n  frame 7 {reason}" in message


def test_frames_come_in_the_order_of_the_table_with_their_provenance(store):
    other = fill(store, [1]).assign(origin="flagged.h5")
    table = pd.concat([fill(store, [4, 0]), other, fill(store, [2])], ignore_index=True)
    atoms = labelled(table, store, failed_share=0.0)
    places = [(ORIGIN, 4), (ORIGIN, 0), ("flagged.h5", 1), (ORIGIN, 2)]
    assert [(a.info["origin"], a.info["frame"]) for a in atoms] == places
    assert [a.info["label_key"] for a in atoms] == table["key"].tolist()
    assert {a.info["labeler"] for a in atoms} == {"toy"}
    np.testing.assert_array_equal(atoms[0].positions, frame(4).positions)


def test_a_table_read_back_from_csv_gives_the_same(store, tmp_path):
    table = failed(fill(store, range(4)), 2)
    table.to_csv(tmp_path / "labels.csv", index=False)
    back = labelled(pd.read_csv(tmp_path / "labels.csv"), store, failed_share=0.5)
    assert [a.info for a in back] == [a.info for a in labelled(table, store, failed_share=0.5)]
    assert all(type(a.info["frame"]) is int for a in back)


def test_a_failed_frame_is_left_out_and_named(store, capsys):
    table = failed(fill(store, range(4)), 2)
    atoms = labelled(table[1:], store, failed_share=0.5)
    assert [a.info["frame"] for a in atoms] == [1, 3]
    assert f"frame 2 of {ORIGIN} is left out: SCF not converged" in capsys.readouterr().out


def test_a_dataset_without_any_label_is_an_error(store):
    table = failed(fill(store, range(2)), 0, 1)
    with pytest.raises(ValueError, match="none of the 2 frames has a label"):
        labelled(table, store, failed_share=1.0)


def test_labels_of_different_settings_do_not_meet(store):
    table = pd.concat([fill(store, [0, 1]), fill(store, [2], {"cutoff_Ry": 400})])
    with pytest.raises(ValueError, match=r"frame 2 of .* was labelled with other settings"):
        labelled(table, store, failed_share=0.0)


KINDS = {"K": {"basis_set": "SZV"}, "Cl": {"basis_set": "DZVP"}, "Na": {"basis_set": "SZV"}}


def of_frame(kinds: dict, **more):
    """Settings in the key of a frame, with its own kinds only."""

    def settings(atoms: Atoms) -> dict:
        return {"kinds": {k: kinds[k] for k in set(atoms.get_chemical_symbols())}} | more

    return settings


def test_frames_of_other_compositions_sizes_and_cells_make_one_dataset(store, tmp_path):
    table = fill(store, range(3), of_frame(KINDS), mixed)
    atoms = labelled(table, store, failed_share=0.0)
    write_dataset(tmp_path / "train.extxyz", atoms)
    for index, read in enumerate(read_dataset(tmp_path / "train.extxyz")):
        assert read.get_chemical_symbols() == mixed(index).get_chemical_symbols()
        np.testing.assert_allclose(read.cell, mixed(index).cell)
        np.testing.assert_allclose(read.get_forces(), atoms[index].get_forces(), atol=1e-7)


@pytest.mark.parametrize(
    "other",
    [
        of_frame(KINDS | {"K": {"basis_set": "DZVP"}}),
        of_frame(KINDS | {"K": {"basis_set": "SZV", "lebedev_grid": 50}}),
        of_frame(KINDS, method="GAPW"),
        {"kinds": KINDS["K"]},
    ],
)
def test_other_settings_of_an_element_that_two_frames_share_do_not_meet(store, other):
    table = pd.concat(
        [
            fill(store, [0], of_frame({"K": KINDS["K"]}), mixed),
            fill(store, [2], other, mixed),
        ]
    )
    with pytest.raises(ValueError, match=r"frame 2 of .* other settings"):
        labelled(table, store, failed_share=0.0)


def test_a_setting_of_an_element_is_compared_with_any_frame_before(store):
    """Not with the first alone, which may not have the element."""
    table = pd.concat(
        [
            fill(store, [0, 1], of_frame(KINDS), mixed),
            fill(store, [2], of_frame(KINDS | {"Cl": {"basis_set": "SZV"}}), mixed),
        ]
    )
    with pytest.raises(ValueError, match=r"frame 2 of .* other settings"):
        labelled(table, store, failed_share=0.0)


def test_a_label_that_vanished_is_named_with_the_remedy(store):
    table = fill(store, range(3))
    label_path(store, table["key"][1]).unlink()
    with pytest.raises(ValueError, match=r"label of frame 1 .* is no longer in") as caught:
        labelled(table, store, failed_share=0.0)
    assert "snakemake --forcerun label" in str(caught.value)


def test_a_store_that_is_gone_is_told_as_such(store):
    table = fill(store, range(3))
    store.rename(store.with_name("elsewhere"))
    with pytest.raises(ValueError, match=rf"there is no label store {store}"):
        labelled(table, store, failed_share=0.0)


@pytest.mark.parametrize("hindered", ["store", "dataset"])
def test_missing_permission_is_not_told_as_damage(tmp_path, hindered):
    folder = Path(tempfile.mkdtemp())
    try:
        table = fill(folder / "store", range(1))
        write_dataset(folder / "train.extxyz", labelled(table, folder / "store", 0.0))
        store, dataset = label_path(folder / "store", table["key"][0]), folder / "train.extxyz"
        closed, read = {
            "store": (store, lambda: labelled(table, folder / "store", 0.0)),
            "dataset": (dataset, lambda: read_dataset(dataset)),
        }[hindered]
        folder.chmod(0o755)
        closed.chmod(0)
        if os.geteuid() == 0:
            os.seteuid(65534)
        try:
            with pytest.raises(PermissionError, match=f"no permission for {closed}"):
                read()
        finally:
            if os.getuid() == 0:
                os.seteuid(0)
        assert closed.exists()
    finally:
        shutil.rmtree(folder)


def test_a_missing_dataset_is_told_as_such(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"train\.extxyz"):
        read_dataset(tmp_path / "train.extxyz")


def test_a_dataset_need_not_have_stress(tmp_path):
    atoms = mixed(1)
    atoms.calc = SinglePointCalculator(atoms, energy=-1.0, forces=np.zeros((2, 3)))
    write_dataset(tmp_path / "train.extxyz", [atoms])
    (read,) = read_dataset(tmp_path / "train.extxyz")
    assert set(read.calc.results) == {"energy", "forces"}


def test_extended_xyz_gives_back_what_was_written(store, tmp_path):
    atoms = labelled(fill(store, range(3)), store, failed_share=0.0)
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
    write_dataset(path, labelled(fill(store, [0]), store, failed_share=0.0))
    comment = path.read_text().splitlines()[1]
    for entry in ("Properties=species:S:1:pos:R:3:forces:R:3", " energy=", ' stress="', "Lattice="):
        assert entry in comment
    # the stress is the full symmetric tensor, nine numbers
    assert len(comment.split(' stress="')[1].split('"')[0].split()) == 9


def test_plain_ase_reads_it_without_being_told_the_format(store, tmp_path):
    atoms = labelled(fill(store, [0, 1]), store, failed_share=0.0)
    write_dataset(tmp_path / "train.extxyz", atoms)
    last = ase.io.read(tmp_path / "train.extxyz")
    assert {"energy", "forces", "stress"} <= set(last.calc.results)
    np.testing.assert_allclose(last.get_forces(), atoms[1].get_forces(), atol=1e-7)


def test_the_same_labels_give_the_same_bytes(store, tmp_path):
    table = fill(store, range(3))
    for name in ("a.extxyz", "b.extxyz"):
        write_dataset(tmp_path / name, labelled(table, store, failed_share=0.0))
    assert (tmp_path / "a.extxyz").read_bytes() == (tmp_path / "b.extxyz").read_bytes()
