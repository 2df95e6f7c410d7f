"""MDSuite, in its own environment, against known answers and against the other libraries.

Agreement of transport coefficients: MDSuite's value lies within two standard errors of kinisi's
(one trajectory, so only one of the two errors counts), and that error is small enough to tell.
Agreement of RDFs: on the same frames, to the rounding of single precision at the bins' edges.
"""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from ase import units
from trajectories import trajectory_of, write_dump

from minset.md.trajectory import Trajectory, read_trajectory
from minset.observe import mdsuite
from minset.observe.rdf import partial_rdfs
from minset.observe.rdf_peaks import rdf_peaks
from minset.observe.transport import ionic_conductivity, self_diffusion

REPOSITORY = Path(__file__).parents[2]
PYTHON = Path(
    os.environ.get("MINSET_MDSUITE_PYTHON", REPOSITORY / ".venv-mdsuite" / "bin" / "python")
)
LMP = Path(sys.prefix) / "bin" / "lmp"
DT_PS, EVERY, TEMPERATURE_K, EDGE_A = 0.002, 25, 1300.0, 14.0
CHARGES = {"K": 1, "Cl": -1, "Al": 0}

pytestmark = pytest.mark.skipif(
    not PYTHON.exists(),
    reason=f"no MDSuite environment, so its numbers are not checked: {PYTHON} is missing; make it with "
    "`envs/setup.sh mdsuite`, which needs Python 3.11, or name its python in MINSET_MDSUITE_PYTHON",
)

MELT = """
units metal
atom_style charge
lattice custom 7.0 a1 1 0 0 a2 0 1 0 a3 0 0 1 &
  basis 0.0 0.0 0.0 basis 0.5 0.5 0.0 basis 0.5 0.0 0.5 basis 0.0 0.5 0.5 &
  basis 0.5 0.0 0.0 basis 0.0 0.5 0.0 basis 0.0 0.0 0.5 basis 0.5 0.5 0.5
region cell block 0 2 0 2 0 2
create_box 2 cell
create_atoms 1 box basis 5 2 basis 6 2 basis 7 2 basis 8 2
mass 1 39.0983
mass 2 35.453
set type 1 charge 1.0
set type 2 charge -1.0
pair_style born/coul/long 6.9
pair_coeff 1 1 0.263704 0.337 2.926 15.166867 -14.979622
pair_coeff 1 2 0.210963 0.337 3.048 29.959244 -45.563016
pair_coeff 2 2 0.158222 0.337 3.170 77.706788 -156.037727
kspace_style ewald 1e-4
timestep 0.002
velocity all create 2500 4711 mom yes rot no
fix hot all nvt temp 2500 2500 0.1
run 3000
unfix hot
fix cooling all nvt temp 2500 1300 0.1
run 3000
unfix cooling
fix thermostat all nvt temp 1300 1300 0.1
run 3000
reset_timestep 0
dump trajectory all custom 25 melt.lammpstrj id element q x y z xu yu zu
dump_modify trajectory element K Cl sort id format float %.10g
run 80000
"""


def observe(trajectory: Path, range_A: float, bins: int, **options) -> subprocess.CompletedProcess:
    """Run the script in MDSuite's environment; its tables stand beside the trajectory."""
    arguments = {
        "trajectory": trajectory,
        "out_rdf": trajectory.with_name("rdf.csv"),
        "out_diffusion": trajectory.with_name("diffusion.csv"),
        "out_conductivity": trajectory.with_name("conductivity.csv"),
        "time_step_ps": DT_PS,
        "temperature_K": TEMPERATURE_K,
        "rdf_range_A": range_A,
        "rdf_bins": bins,
    } | options
    command = [PYTHON, REPOSITORY / "scripts" / "mdsuite_observables.py"]
    command += [part for name, value in arguments.items() for part in (f"--{name}", str(value))]
    return subprocess.run(command, capture_output=True, text=True, cwd=trajectory.parent)


def tables(trajectory: Path) -> dict[str, pd.DataFrame]:
    names = ("rdf", "diffusion", "conductivity")
    return {name: pd.read_csv(trajectory.with_name(f"{name}.csv")) for name in names}


def agrees(value: float, reference: float, stderr: float, largest_share: float) -> bool:
    """Within two standard errors, which must themselves be a small share of the reference."""
    return 0 < stderr < largest_share * reference and abs(value - reference) < 2 * stderr


@pytest.fixture(scope="module")
def walkers(tmp_path_factory) -> tuple[Path, Trajectory, dict]:
    """Independent charged walkers: K and Cl with their own D, 500 frames and a cut one."""
    rng = np.random.default_rng(21)
    numbers, width = {"Cl": 20, "K": 20}, {"Cl": 0.2, "K": 0.4}
    species = np.repeat(list(numbers), list(numbers.values()))
    sigma = np.array([width[symbol] for symbol in species])[:, None]
    start = rng.uniform(0, EDGE_A, (len(species), 3))
    positions = start + np.cumsum(rng.normal(size=(501, len(species), 3)) * sigma, axis=0)
    path = tmp_path_factory.mktemp("walkers") / "walkers.lammpstrj"
    write_dump(path, trajectory_of(species, CHARGES, positions, EDGE_A, EVERY))
    path.write_bytes(path.read_bytes()[:-100])
    run = observe(path, range_A=7.0, bins=35, start_ps=0.2)
    assert run.returncode == 0, run.stderr
    assert not run.stdout
    return path, read_trajectory(path), width


@pytest.fixture(scope="module")
def melt(tmp_path_factory) -> tuple[Path, Trajectory]:
    """160 ps of 64 ions of liquid KCl at 1300 K, seen by MDSuite."""
    folder = tmp_path_factory.mktemp("melt")
    (folder / "in.melt").write_text(MELT)
    subprocess.run(
        [LMP, "-in", "in.melt", "-log", "none", "-screen", "none"],
        cwd=folder,
        check=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    path = folder / "melt.lammpstrj"
    run = observe(path, range_A=6.9, bins=138, start_ps=1.0)
    assert run.returncode == 0, run.stderr
    return path, read_trajectory(path)


def test_tables_have_the_columns_of_the_other_libraries(walkers):
    path, trajectory, _ = walkers
    ours = {
        "rdf": partial_rdfs(trajectory, 7.0, 35, 2, max_frames=10),
        "diffusion": self_diffusion(trajectory, DT_PS, start_ps=0.2),
        "conductivity": ionic_conductivity(trajectory, DT_PS, TEMPERATURE_K, start_ps=0.2),
    }
    for name, table in tables(path).items():
        assert table.columns.tolist() == [*ours[name].columns, "source"]
        assert set(table["source"]) == {"mdsuite"}
        assert len(table) == len(ours[name])
    assert tables(path)["diffusion"]["species"].tolist() == ["K", "Cl"]
    assert sorted(file.name for file in path.parent.iterdir()) == [
        "conductivity.csv",
        "diffusion.csv",
        "rdf.csv",
        "walkers.lammpstrj",
    ]


def test_mdsuite_finds_the_diffusion_coefficient_of_random_walkers(walkers):
    path, _, width = walkers
    table = tables(path)["diffusion"].set_index("species")
    for symbol, sigma in width.items():
        exact = sigma**2 / (2 * EVERY * DT_PS) * 10
        assert table["diffusion_1e-9_m2_s"][symbol] == pytest.approx(exact, rel=0.08)
        assert table["diffusion_stderr_1e-9_m2_s"][symbol] < 0.15 * exact


def test_mdsuite_finds_the_nernst_einstein_conductivity_of_independent_ions(walkers):
    """500 frames give one collective walker an error of some 12 %; a unit is off by powers."""
    path, trajectory, width = walkers
    diffusion = sum(20 * sigma**2 / (2 * EVERY * DT_PS) * 1e-8 for sigma in width.values())
    volume_m3 = np.prod(trajectory.cell_lengths_A[0]) * 1e-30
    exact = diffusion * units._e**2 / (volume_m3 * units._k * TEMPERATURE_K) / 100
    assert tables(path)["conductivity"]["conductivity_S_cm"][0] == pytest.approx(exact, rel=0.35)


def test_mdsuite_counts_each_pair_of_the_same_frames_as_mdanalysis_does(walkers):
    """To 1 %; MDSuite as published misses 10 % here, the first ion of 20 of each species."""
    path, trajectory, _ = walkers
    assert len(trajectory.steps) == 500
    ours = partial_rdfs(trajectory, range_A=7.0, bins=35, blocks=4)
    theirs = tables(path)["rdf"]
    assert theirs["pair"].tolist() == ours["pair"].tolist()
    np.testing.assert_allclose(theirs["r_A"], ours["r_A"])
    seen = ours["r_A"] > 0.5
    for column in ("g", "g_stderr"):
        np.testing.assert_allclose(theirs[column][seen], ours[column][seen], atol=0.01)
    last = [table.groupby("pair")["coordination_number"].last() for table in (theirs, ours)]
    np.testing.assert_allclose(*last, rtol=1e-3)


def test_rdfs_of_a_melt_agree_within_their_noise(melt):
    """MDSuite sees 500 of the 3201 frames: bins differ by noise, peaks do not."""
    path, trajectory = melt
    ours = partial_rdfs(trajectory, range_A=6.9, bins=138, blocks=4)
    theirs = tables(path)["rdf"]
    noise = np.hypot(ours["g_stderr"], theirs["g_stderr"]) + 0.02
    difference = theirs["g"] - ours["g"]
    assert np.mean(difference.abs() < 3 * noise) > 0.98
    assert difference.groupby(ours["pair"]).mean().abs().max() < 0.005
    peaks, their_peaks = (rdf_peaks(table).set_index("pair") for table in (ours, theirs))
    np.testing.assert_allclose(their_peaks["peak_g"], peaks["peak_g"], rtol=0.03)
    assert their_peaks["peak_r_A"]["K-Cl"] == pytest.approx(peaks["peak_r_A"]["K-Cl"], abs=0.02)
    # Molten KCl: 4 to 6 unlike neighbours at 2.9 to 3.1 A.
    assert 2.8 < peaks["peak_r_A"]["K-Cl"] < 3.1
    assert 3.5 < peaks["coordination_number"]["K-Cl"] < 6


def test_transport_of_a_melt_agrees_within_error_bars(melt):
    path, trajectory = melt
    theirs = tables(path)
    diffusion = theirs["diffusion"].set_index("species")["diffusion_1e-9_m2_s"]
    for _, ours in self_diffusion(trajectory, DT_PS, start_ps=1.0).iterrows():
        value, stderr = ours["diffusion_1e-9_m2_s"], ours["diffusion_stderr_1e-9_m2_s"]
        assert agrees(diffusion[ours["species"]], value, stderr, largest_share=0.06)
        # What the criterion would not let pass: 2 dimensions for 3, nm for A, a dump interval lost.
        for wrong in (3 / 2, 0.01, 1 / EVERY):
            assert not agrees(wrong * diffusion[ours["species"]], value, stderr, 0.06)
    ours = ionic_conductivity(trajectory, DT_PS, TEMPERATURE_K, start_ps=1.0).iloc[0]
    value, stderr = ours["conductivity_S_cm"], ours["conductivity_stderr_S_cm"]
    conductivity = theirs["conductivity"]["conductivity_S_cm"][0]
    assert agrees(conductivity, value, stderr, largest_share=0.25)
    for wrong in (0.0, 3 / 2, 1 / 64, 100):
        assert not agrees(wrong * conductivity, value, stderr, 0.25)


def test_mdsuite_says_what_is_wrong_with_its_input_and_writes_nothing(walkers, tmp_path):
    path, _, _ = walkers
    link = tmp_path / "walkers.lammpstrj"
    link.symlink_to(path)
    for options, message in (
        ({"range_A": 7.1}, "RDF range 7.1 A is not between 0 and half the shortest edge, 7.0000 A"),
        ({"range_A": 7.0, "start_ps": 5.0}, "start_ps = 5 needs 50 ps"),
    ):
        run = observe(link, bins=35, **options)
        assert run.returncode != 0
        assert message in run.stderr
        assert list(tmp_path.iterdir()) == [link]


def test_a_run_that_broke_gives_tables_without_rows(walkers, tmp_path):
    path, _, _ = walkers
    (tmp_path / "walkers.lammpstrj").symlink_to(path)
    (tmp_path / "verdict.json").write_text('{"stable": false}')
    verdict = tmp_path / "verdict.json"
    run = observe(tmp_path / "walkers.lammpstrj", range_A=7.0, bins=35, verdict=verdict)
    assert run.returncode == 0, run.stderr
    assert [len(table) for table in tables(tmp_path / "walkers.lammpstrj").values()] == [0, 0, 0]


def test_the_record_gives_the_tables_of_the_script(walkers):
    path, _, _ = walkers
    settings = {"timestep_fs": 1000 * DT_PS, "temperature_K": TEMPERATURE_K, "python": PYTHON}
    settings |= {"range_A": 7.0, "bins": 35, "start_ps": 0.2}
    source = {"trajectory": path, "verdict": {"stable": True}}
    found = mdsuite.RECORD.observe(source, {}, settings, 1)
    assert list(found) == list(mdsuite.RECORD.tables)
    for name, table in tables(path).items():
        pd.testing.assert_frame_equal(found[f"mdsuite_{name}"], table)
    with pytest.raises(
        ValueError, match=r"MDSuite of .* failed: .* half the shortest edge, 7\.0000"
    ):
        mdsuite.RECORD.observe(source, {}, settings | {"range_A": 7.1}, 1)


def test_caged_metal_atoms_do_not_diffuse_and_have_no_conductivity(tmp_path):
    rng = np.random.default_rng(22)
    path = tmp_path / "solid.lammpstrj"
    places = rng.uniform(0, EDGE_A, (20, 3))
    positions = places + rng.normal(0, 0.3, (400, 20, 3))
    write_dump(path, trajectory_of(["Al"] * 20, CHARGES, positions, EDGE_A, EVERY))
    run = observe(path, range_A=7.0, bins=35, start_ps=0.5)
    assert run.returncode == 0, run.stderr
    assert run.stdout == "no conductivity of MDSuite: the atoms have no charges\n"
    found = tables(path)
    assert set(found["rdf"]["pair"]) == {"Al-Al"}
    assert found["conductivity"].empty
    row = found["diffusion"].iloc[0]
    assert row["note"] == "does not diffuse"
    low, high = (row[f"diffusion_ci_{end}_1e-9_m2_s"] for end in ("low", "high"))
    # a free walker with these displacements, 6 * 0.3^2 A^2 within 2 ps, has 4.5e-10 m^2/s
    assert low <= 0 < high < 0.2


def test_a_tilted_cell_is_said_in_one_line_and_stops_no_study(tmp_path):
    path = tmp_path / "tilted.lammpstrj"
    upright = trajectory_of(["Al"] * 4, CHARGES, np.ones((3, 4, 3)), EDGE_A, EVERY)
    write_dump(path, replace(upright, cells_A=upright.cells_A + np.diag([0.0, 2.0], k=-1)))
    run = observe(path, range_A=7.0, bins=35, start_ps=0.5)
    assert run.returncode == 0, run.stderr
    assert (
        run.stdout
        == "no observables of MDSuite: the cell is tilted, and MDSuite needs right angles\n"
    )
    assert [len(table) for table in tables(path).values()] == [0, 0, 0]
