"""The dump reader: what LAMMPS wrote comes back, and a broken file says where it is broken."""

from pathlib import Path

import numpy as np
import pytest

from minset.md.trajectory import (
    frame_interval,
    ordered_species,
    read_trajectory,
    to_universe,
)

SPECIES = ["Cl", "K", "K", "Cl", "Cl"]
CHARGES = {"K": 1.0, "Cl": -1.0}
LOW, EDGES = np.array([-1.0, 0.0, 2.0]), np.array([6.0, 7.0, 8.0])


def unwrapped(n_frames: int) -> np.ndarray:
    rng = np.random.default_rng(3)
    return LOW + np.cumsum(rng.normal(0, 2, (n_frames, len(SPECIES), 3)), axis=0)


def frame_text(step: int, positions: np.ndarray, columns: str = "id element q x y z xu yu zu"):
    wrapped = LOW + (positions - LOW) % EDGES
    lines = ["ITEM: TIMESTEP", str(step), "ITEM: NUMBER OF ATOMS", str(len(positions))]
    lines += ["ITEM: BOX BOUNDS pp pp pp"]
    lines += [f"{low} {low + edge}" for low, edge in np.transpose([LOW, EDGES])]
    lines += [f"ITEM: ATOMS {columns}"]
    for i, symbol in enumerate(SPECIES[: len(positions)]):
        values = {"id": i + 1, "element": symbol, "q": CHARGES[symbol], "type": 1}
        for axis, name in enumerate("xyz"):
            values |= {name: wrapped[i, axis], f"{name}u": positions[i, axis]}
        lines.append(" ".join(str(values[column]) for column in columns.split()))
    return "\n".join(lines) + "\n"


def dump_text(n_frames: int, every: int = 5, **options) -> str:
    return "".join(
        frame_text(every * t, positions, **options)
        for t, positions in enumerate(unwrapped(n_frames))
    )


def written(folder: Path, text: str) -> Path:
    path = folder / "trajectory.lammpstrj"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    "columns", ["id element q x y z xu yu zu", "type xu yu zu z y x q id element"]
)
def test_positions_species_and_cell_come_back(tmp_path, columns):
    trajectory = read_trajectory(written(tmp_path, dump_text(4, columns=columns)))
    assert trajectory.species.tolist() == SPECIES
    assert trajectory.charges.tolist() == [CHARGES[symbol] for symbol in SPECIES]
    assert trajectory.steps.tolist() == [0, 5, 10, 15]
    assert frame_interval(trajectory) == 5
    assert ordered_species(trajectory) == ["K", "Cl"]
    np.testing.assert_array_equal(trajectory.cell_lengths_A, np.tile(EDGES, (4, 1)))
    np.testing.assert_allclose(trajectory.unwrapped_A, unwrapped(4) - LOW, atol=1e-12)
    np.testing.assert_allclose(trajectory.positions_A, (unwrapped(4) - LOW) % EDGES, atol=1e-12)


@pytest.mark.parametrize("kept", [0.05, 0.3, 0.5, 0.999])
def test_incomplete_last_frame_of_a_killed_run_is_dropped(tmp_path, kept):
    last = frame_text(20, unwrapped(5)[4])
    path = written(tmp_path, dump_text(4) + last[: int(kept * len(last))])
    assert read_trajectory(path).steps.tolist() == [0, 5, 10, 15]


def test_universe_has_the_wrapped_positions_cell_and_time(tmp_path):
    trajectory = read_trajectory(written(tmp_path, dump_text(4)))
    universe = to_universe(trajectory, dt_ps=0.002)
    assert universe.select_atoms("type Cl").n_atoms == 3
    assert universe.trajectory.n_frames == 4
    universe.trajectory[2]
    np.testing.assert_allclose(universe.atoms.positions, trajectory.positions_A[2], atol=1e-5)
    np.testing.assert_allclose(universe.dimensions, [*EDGES, 90, 90, 90])
    assert universe.trajectory.time == pytest.approx(2 * 5 * 0.002)


def swapped_ids(text: str) -> str:
    return text.replace("\n2 K", "\n9 K")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no complete frame"),
        ("a b c\n" * 20, "no LAMMPS text dump"),
        (dump_text(1)[:-3], "no complete frame"),
        (dump_text(2, columns="id element x y z xu yu zu"), "MD step 0: columns q missing"),
        (dump_text(2) + frame_text(10, unwrapped(1)[0, :3]), "MD step 10: 3 atoms"),
        (
            dump_text(2) + dump_text(1, columns="id element q x y z xu yu zu type"),
            "MD step 0: 5 atoms with the columns .* type",
        ),
        (dump_text(1) + dump_text(1).replace("TOMS\n5\n", "TOMS\n50\n"), "MD step 0: 50 atoms"),
        (dump_text(1).replace("TOMS\n5\n", "TOMS\n0\n"), "MD step 0: 0 atoms"),
        (dump_text(1).replace("TOMS\n5\n", "TOMS\nfive\n"), "MD step 0: the header is damaged"),
        (dump_text(1).replace("BOX BOUNDS", "BOX"), "no LAMMPS text dump"),
        (dump_text(1).replace("5 Cl -1.0 ", "5 Cl nan "), "a charge is not finite"),
        (swapped_ids(dump_text(1)), "not in the order of their ids"),
        (dump_text(1) + swapped_ids(frame_text(5, unwrapped(1)[0])), "MD step 5: ids"),
        (dump_text(3) + frame_text(10, unwrapped(1)[0]), "MD step 10 follows 10"),
        (dump_text(3) + frame_text(16, unwrapped(1)[0]), "MD step 16 follows 10"),
        (
            dump_text(2).replace("pp pp pp", "xy xz yz pp pp pp").replace(" 5.0\n", " 5.0 0\n"),
            "MD step 0: the header is damaged",
        ),
        (
            dump_text(1).replace("pp pp pp", "xy xz yz pp pp pp"),
            "bounds of the box in 2 columns, expected 3",
        ),
        (
            dump_text(1).replace("BOX BOUNDS pp", "BOX BOUNDS abc origin pp"),
            "write it with `triclinic/general no`",
        ),
        (dump_text(1)[:-40] + "\n" + dump_text(2), "behind an incomplete frame|values, expected"),
        (dump_text(1).replace("5 Cl -1.0 ", "5 Cl -1.0 nan "), "values, expected 5 x 9"),
    ],
)
def test_a_broken_file_says_what_is_wrong_and_where(tmp_path, text, message):
    with pytest.raises(ValueError, match=message):
        read_trajectory(written(tmp_path, text))


def test_positions_that_are_not_finite_are_refused(tmp_path):
    positions = unwrapped(1)[0]
    positions[1, 2] = np.nan
    with pytest.raises(ValueError, match="MD step 0: a coordinate is not finite"):
        read_trajectory(written(tmp_path, frame_text(0, positions)))
