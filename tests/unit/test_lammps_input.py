"""What LAMMPS is handed: paths of any characters, and configurations that nothing can be made of."""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from samples import label_settings

from minset.contacts import closest_allowed_A, closest_matrix_A, shortest_distances_of
from minset.evaluation import Unusable, require_usable
from minset.label.potential import label
from minset.md.engines import potential_engine
from minset.md.run import FINAL, TRAJECTORY, Protocol, read_thermo, run_md
from minset.md.session import quoted
from minset.md.trajectory import read_trajectory
from minset.potential import commands_of
from minset.potential.eam import found
from minset.potential.forces import evaluator

NAMES = [
    "with space",
    "with$dollar",
    "with#hash",
    "with$(1+1)",
    "with${x}",
    "with&",
    'with"quote',
    'end"',
    "with'apostrophe",
    "all '\"$# of (them)",
    "back\\slash",
]


def protocol(duration_ps: float, **changes) -> Protocol:
    settings = {"thermo_ps": 0.01, "seed": 4, "checkpoint_ps": 0.05} | changes
    return Protocol("nve", (1200.0, 1200.0), duration_ps, 1.0, 0.05, **settings)


@pytest.mark.parametrize("name", NAMES)
def test_paths_of_any_characters_work(name, kcl, al, melt32, tmp_path, monkeypatch):
    folder = tmp_path / name
    (folder / "tmp").mkdir(parents=True)
    monkeypatch.setattr(tempfile, "tempdir", str(folder / "tmp"))
    assert label(melt32, label_settings(kcl), tmp_path, 1).energy_eV < -90
    potential = shutil.copy(found("Al_mm.eam.fs"), folder / "Al.eam.fs")
    system = al | {"potential": al["potential"] | {"file": str(potential)}}
    crystal = bulk("Al", "fcc", a=4.05)
    assert label(crystal, label_settings(system), tmp_path, 1).energy_eV < -3.4

    class Killed(BaseException):
        pass

    def dies(lmp, symbols, system):
        potential_engine()(lmp, symbols, system)
        calls = iter(range(2))

        def alarm():
            if next(calls) == 1:
                raise Killed

        return alarm

    with pytest.raises(Killed):
        run_md(melt32, kcl, dies, protocol(0.15), folder / "run")
    assert sorted(p.name for p in (folder / "run").glob("restart.*")) == ["restart.a", "restart.b"]
    assert run_md(melt32, kcl, potential_engine(), protocol(0.15), folder / "run")["stable"]
    assert (folder / "run" / FINAL).exists()
    assert len(read_thermo(folder / "run")) == 16
    assert read_trajectory(folder / "run" / TRAJECTORY).steps.tolist() == [0, 50, 100, 150]


@pytest.mark.parametrize("name", ["100%", "a*b", "mälzer", "tab\tx", "line\nx", 'tri"""ple'])
def test_paths_that_lammps_would_change_are_refused(name, kcl, melt32, tmp_path):
    with pytest.raises(ValueError, match=r"(?s)^LAMMPS cannot use the path .*rename the folder"):
        quoted(Path(name) / "x")
    with pytest.raises(ValueError, match="LAMMPS cannot use the path"):
        run_md(melt32, kcl, potential_engine(), protocol(0.05), tmp_path / name)


ABSURD = {
    "nan position": "positions or cell are not finite",
    "inf position": "positions or cell are not finite",
    "1e12 position": "a coordinate of 1e\\+12 A, beyond",
    "1e300 position": "a coordinate of 1e\\+300 A",
    "same place": "two atoms are at the same place",
    "same place next cell": "two atoms are at the same place",
    "cell nan": "positions or cell are not finite",
    "cell 1e-6": "atoms in a cell of 1e-18 A\\^3",
    "cell 1e9": "a cell of 1e\\+09 A, beyond",
    "cell 1e4": "a cell of 1e\\+12 A\\^3, beyond 1e\\+09 A\\^3",
    "cell 0": "atoms in a cell of 0 A\\^3",
    "cell thin": "a cell with faces 0.05 A apart",
}


def absurd(case: str) -> tuple[np.ndarray, np.ndarray]:
    positions = np.array([[0.1, 0.2, 0.3], [3, 3, 3.2], [0.2, 3.1, 5], [3.2, 0.3, 0.1]])
    cell = np.eye(3) * 7.0
    if case.endswith("position"):
        positions[1, 0] = float(case.split()[0])
    elif case.startswith("same place"):
        positions[1] = positions[0] + (7.0 if "next" in case else 0.0)
    elif case == "cell thin":
        cell = np.diag([300.0, 300.0, 0.05])
    elif case == "cell nan":
        cell[0, 0] = np.nan
    else:
        cell = np.eye(3) * float(case.split()[1])
    return positions, cell


@pytest.mark.parametrize("case", ABSURD)
def test_absurd_configurations_are_errors_in_one_line(case, kcl, al):
    positions, cell = absurd(case)
    for system, symbols in ((kcl, "KClClK"), (al, "Al4")):
        with pytest.raises(ValueError, match=ABSURD[case]) as caught:
            evaluator(system, Atoms(symbols).numbers)(positions, cell)
        assert "\n" not in str(caught.value)


def test_atoms_that_overlap_are_computed_or_refused_in_one_line(kcl, al):
    said = []
    for distance in (1e-2, 0.1, 0.5):
        positions, cell = absurd("fine 7")[0], np.eye(3) * 7.0
        positions[1] = positions[0] + [distance, 0, 0]
        for system, symbols in ((kcl, "KClClK"), (al, "Al4")):
            try:
                result = evaluator(system, Atoms(symbols).numbers)(positions, cell)
            except ValueError as error:
                said.append(str(error))
            else:
                assert np.isfinite(result.forces_eV_A).all()
                assert result.shortest_A.min() == pytest.approx(distance)
    assert not any("\n" in line for line in said)


def test_far_images_are_the_same_configuration(kcl, melt32):
    evaluate = evaluator(kcl, melt32.numbers)
    near = evaluate(melt32.positions, melt32.cell[:])
    far = melt32.positions.copy()
    far[::2] += np.array([3, -2, 1000]) @ melt32.cell[:]
    far[1] -= np.array([10**6, 0, 0]) @ melt32.cell[:]
    result = evaluate(far, melt32.cell[:])
    assert result.energy_eV == pytest.approx(near.energy_eV, abs=1e-4)
    assert np.allclose(result.forces_eV_A, near.forces_eV_A, atol=1e-4)


def test_an_element_beyond_the_system_is_named(al):
    with pytest.raises(ValueError, match="holds Cu, the system only Al"):
        evaluator(al, np.array([13, 29]))(np.array([[0.0, 0, 0], [2, 2, 2]]), np.eye(3) * 4.0)


def test_thin_and_skewed_cells_of_real_crystals_are_usable():
    primitive = bulk("Al", "fcc", a=4.05)
    require_usable(primitive.positions, primitive.cell[:])
    skewed = np.array([[1.0, 0, 0], [3, 1, 0], [-5, 4, 1]]) @ primitive.cell[:]
    require_usable(primitive.positions, skewed)
    with pytest.raises(Unusable, match="no atoms"):
        require_usable(np.empty((0, 3)), primitive.cell[:])


def test_shortest_distances_of_frames_of_any_kind(melt32):
    crystal = bulk("Al", "fcc", a=4.05)
    shortest = shortest_distances_of([melt32, crystal, melt32])
    assert set(shortest) == {"Al-Al", "K-Cl", "K-K", "Cl-Cl"}
    assert shortest["Al-Al"] == pytest.approx(4.05 / np.sqrt(2))
    distances = melt32.get_all_distances(mic=True) + 100 * np.eye(32)
    k, cl = (melt32.numbers == z for z in (19, 17))
    assert shortest["K-Cl"] == pytest.approx(distances[k][:, cl].min())
    assert shortest["K-K"] == pytest.approx(distances[k][:, k].min())


def test_the_closest_allowed_follow_the_pool_or_the_radii():
    closest = closest_allowed_A({"K-Cl": 2.44})
    assert closest == {"K-Cl": pytest.approx(1.83)}
    matrix = closest_matrix_A(["Cl", "K"], closest)
    assert matrix[0, 1] == matrix[1, 0] == pytest.approx(1.83)
    assert matrix[0, 0] == pytest.approx(1.02)  # covalent radius of chlorine
    assert matrix[1, 1] == pytest.approx(2.03)


def test_records_of_potentials_and_generators_import_nothing_heavy():
    code = (
        "import sys, minset.potential, minset.pool;print(*{m.split('.')[0] for m in sys.modules})"
    )
    library = Path(__file__).parents[2] / "workflow"
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=library, capture_output=True, text=True, check=True
    )
    assert not {"torch", "lammps", "MDAnalysis", "vesin"} & set(ran.stdout.split())


def test_tosi_fumi_names_pairs_that_are_missing_foreign_or_twice(kcl):
    from minset.potential import POTENTIALS

    mistakes = POTENTIALS["tosi_fumi"].mistakes
    pairs = kcl["potential"]["pairs"]
    assert mistakes({"pairs": pairs}, ["K", "Cl"]) == []
    one = pairs["K-K"]
    assert mistakes({"pairs": {"K-K": one}}, ["K", "Cl"]) == [
        "pairs: parameters of K-Cl are missing",
        "pairs: parameters of Cl-Cl are missing",
    ]
    assert mistakes({"pairs": pairs | {"Na-K": one}}, ["K", "Cl"]) == [
        "pairs.Na-K: Na is not in species"
    ]
    assert mistakes({"pairs": pairs | {"Cl-K": one}}, ["K", "Cl"]) == [
        "pairs.K-Cl: the same pair as Cl-K; keep one"
    ]
    assert commands_of(kcl)[:2] == ["pair_style born/coul/long 12.0", "kspace_style pppm 1e-05"]
