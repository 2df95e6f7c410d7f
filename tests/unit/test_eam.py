"""Aluminium with an embedded-atom potential: its file, crystal, liquid, and a pool of it."""

import re
import shutil

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.data import atomic_numbers
from samples import label_settings, read_system
from scipy.optimize import minimize_scalar

from minset.contacts import shortest_distances_of
from minset.files import file_hash
from minset.label.potential import label
from minset.md.engines import potential_engine
from minset.md.run import TRAJECTORY, Protocol, run_md
from minset.pool.npt import liquid_part, run_npt
from minset.potential import POTENTIALS, commands_of, contact_A, eam
from minset.potential.eam import elements_of, found
from minset.potential.forces import evaluator
from minset.units import density_g_cm3

# Mendelev et al., Phil. Mag. 88, 1723 (2008), Table 2: lattice constant in A, cohesive energy in eV.
LATTICE_A, COHESIVE_EV = 4.045, -3.411


def with_file(file, **more) -> dict:
    """System slice of aluminium with another file."""
    return read_system("al") | {"potential": {"potential": "eam", "file": str(file)} | more}


def test_fcc_has_the_published_lattice_constant_and_energy(al):
    evaluate = evaluator(al, np.array([13]))

    def energy(a: float) -> float:
        return evaluate(np.zeros((1, 3)), bulk("Al", "fcc", a=a).cell[:]).energy_eV

    best = minimize_scalar(energy, bounds=(3.9, 4.2), options={"xatol": 1e-5})
    assert best.x == pytest.approx(LATTICE_A, abs=0.002)
    assert best.fun == pytest.approx(COHESIVE_EV, abs=0.002)


# Au: the lattice constant in the header of Au_u3.eam, of Foiles, Baskes and Daw, Phys. Rev. B 33, 7983
# (1986). Ni: nearest neighbours 2.49 A apart and -4.876 eV with this file, the reference in Table 1 of
# Jung, "Data distillation for neural network potentials toward foundational dataset" (2023).
@pytest.mark.parametrize(
    ("name", "lattice_A", "within_A", "energy_eV"),
    [("au", 4.08, 1e-4, None), ("ni", 2.49 * np.sqrt(2), 0.005 * np.sqrt(2), -4.876)],
)
def test_fcc_of_other_metals_has_the_published_lattice_constant(
    name, lattice_A, within_A, energy_eV
):
    system = read_system(name)
    symbol = system["name"]
    evaluate = evaluator(system, np.array([atomic_numbers[symbol]]))

    def energy(a: float) -> float:
        return evaluate(np.zeros((1, 3)), bulk(symbol, "fcc", a=a).cell[:]).energy_eV

    bounds = (lattice_A - 0.15, lattice_A + 0.15)
    best = minimize_scalar(energy, bounds=bounds, options={"xatol": 1e-6})
    assert best.x == pytest.approx(lattice_A, abs=within_A)
    if energy_eV is not None:
        assert best.fun == pytest.approx(energy_eV, abs=0.0005)


def test_a_label_is_the_single_point_of_any_cell(al, tmp_path):
    atoms = bulk("Al", "fcc", a=4.0) * (2, 2, 2)
    atoms.rattle(0.1, seed=3)
    raw = label(atoms, label_settings(al), tmp_path, 1)
    result = evaluator(al, atoms.numbers)(atoms.positions, atoms.cell[:])
    assert raw.energy_eV == result.energy_eV
    assert np.array_equal(raw.forces_eV_A, result.forces_eV_A)
    assert np.allclose(raw.stress_eV_A3 * atoms.cell.volume, result.virial_eV)
    assert result.atomic_energies_eV.sum() == pytest.approx(raw.energy_eV, abs=1e-9)
    assert raw.info["version"].startswith("LAMMPS 20")
    assert np.trace(raw.stress_eV_A3) < 0  # compressed


@pytest.mark.parametrize(("atoms", "temperature_K"), [(32, 1500), (108, 1000)])
def test_a_pool_of_liquid_aluminium(al, atoms, temperature_K, tmp_path):
    run = {
        "name": "liquid",
        "temperature_K": [temperature_K, temperature_K],
        "pressure_bar": 1.0,
        "seed": 2,
        "ions": atoms,
        "timestep_fs": 2.0,
        "equilibration_ps": 2.0,
        "duration_ps": 8.0,
        "frames": 40,
        "density_g_cm3": 2.3,
    }
    frames, _ = run_npt(al, run, tmp_path)
    assert len(frames) == 40
    density = np.mean([density_g_cm3(f.get_masses().sum(), f.cell.volume) for f in frames])
    # experiment (Assael et al., J. Phys. Chem. Ref. Data 35, 285, 2006): 2.377 - 3.11e-4 (T - 933.5 K)
    assert density == pytest.approx(2.377 - 3.11e-4 * (temperature_K - 933.5), rel=0.04)
    (shortest,) = shortest_distances_of(frames).values()
    assert 1.9 < shortest < 2.5
    point = label(frames[7], label_settings(al), tmp_path, 1)
    assert frames[7].get_potential_energy() == pytest.approx(point.energy_eV, abs=1e-3)
    assert np.allclose(frames[7].get_forces(), point.forces_eV_A, atol=1e-3)


def test_solid_aluminium_is_no_pool(al, tmp_path):
    crystal = bulk("Al", "fcc", a=4.1, cubic=True) * (2, 2, 2)
    protocol = Protocol("nvt", (700.0, 700.0), 8.0, 2.0, 0.2, 0.2, seed=1)
    run_md(crystal, al, potential_engine(), protocol, tmp_path)
    reason = liquid_part(tmp_path / TRAJECTORY, al, 0.2, (700.0, 700.0))[1]
    assert re.search(r"not liquid near 700 K", reason)


def test_masses_are_the_systems_not_the_files(al):
    heavy = read_system("al")
    heavy["species"]["Al"]["mass_u"] = 54.0
    assert commands_of(heavy)[-1] == "mass 1 54"


def test_elements_come_from_the_header_of_each_format():
    assert elements_of(found("Al_mm.eam.fs")) == ["Al"]
    assert elements_of(found("CuNi.eam.alloy")) == ["Ni", "Cu"]
    assert elements_of(found("Cu_u3.eam")) == ["Cu"]


@pytest.mark.parametrize(
    ("file", "symbols"),
    [("CuNi.eam.alloy", "Ni4Cu4"), ("Cu_u3.eam", "Cu8"), ("AlFe_mm.eam.fs", "Fe4Al4")],
)
def test_every_format_runs(file, symbols):
    atoms = Atoms(symbols, bulk("Cu", "fcc", a=3.6, cubic=True).repeat((2, 1, 1)).positions)
    atoms.set_cell([7.2, 3.6, 3.6])
    species = {s: {"mass_u": 50.0, "count": 1} for s in dict.fromkeys(atoms.symbols)}
    system = {"species": species, "potential": {"potential": "eam", "file": file}}
    evaluate = evaluator(system, atoms.numbers)
    atomic = evaluate(atoms.positions, atoms.cell[:]).atomic_energies_eV
    assert (atomic < -1).all()
    # the elements' order in the file and in the system differ
    mirrored = evaluator(system | {"species": dict(reversed(species.items()))}, atoms.numbers)
    assert np.allclose(mirrored(atoms.positions, atoms.cell[:]).atomic_energies_eV, atomic)


def test_a_file_of_another_content_is_refused(al, tmp_path):
    path = tmp_path / "Al.eam.fs"
    shutil.copy(found("Al_mm.eam.fs"), path)
    system = with_file(path, sha256=file_hash(path))
    assert commands_of(system)
    path.write_text(path.read_text().replace("5.0000", "5.1000", 1))
    with pytest.raises(ValueError, match=r"Al\.eam\.fs is not the file whose sha256 begins with"):
        commands_of(system)


def test_mistakes_name_file_and_remedy(tmp_path):
    mistakes = POTENTIALS["eam"].mistakes

    def complaint(file, species=("Al",)):
        (text,) = mistakes({"file": str(file)}, list(species))
        return text

    assert mistakes({"file": "Al_mm.eam.fs"}, ["Al"]) == []
    assert complaint("Al_mm.eam.fs", ["Al", "Cu"]) == (
        "file: Al_mm.eam.fs holds Al, there is no Cu in it"
    )
    assert "such as Al_mm.eam.fs" in complaint("Al_mn.eam.fs")
    (tmp_path / "Al.txt").write_text("x")
    assert "does not end in .eam.alloy, .eam.fs, .eam" in complaint(tmp_path / "Al.txt")
    (tmp_path / "Al.eam.fs").write_text("a\nb\nc\n2 Al\n")
    assert "has no header of eam/fs" in complaint(tmp_path / "Al.eam.fs")
    (tmp_path / "Al.eam").write_text("a\n900 26.98\n")
    assert "has no header of eam" in complaint(tmp_path / "Al.eam")


def test_files_are_found_by_path_first_then_in_lammps(tmp_path, monkeypatch):
    assert eam.files({"file": "Al_mm.eam.fs"})[0].endswith("share/lammps/potentials/Al_mm.eam.fs")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "Al_mm.eam.fs").write_text("mine")
    assert eam.files({"file": "Al_mm.eam.fs"}) == ["Al_mm.eam.fs"]


def test_contact_is_the_sum_of_covalent_radii(al):
    assert contact_A(al, "Al", "Al") == pytest.approx(2.42)
