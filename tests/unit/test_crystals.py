"""Crystals and surfaces against lattice sums, published numbers and numerical derivatives."""

import numpy as np
import pytest
from ase.build import bulk
from samples import read_system
from studies import STUDY, SYSTEM, alter, mistakes

from minset.crystal import crystal, crystal_needs, lattice_constants_A, structures_of
from minset.observe.crystals import EngineCalculator, relaxed_crystal
from minset.observe.elastic import RECORD as ELASTIC
from minset.observe.equation_of_state import RECORD as EQUATION_OF_STATE
from minset.observe.relaxation import RECORD as RELAXATION
from minset.observe.surface_energy import RECORD as SURFACE_ENERGY
from minset.potential.forces import evaluator, lasting_evaluator
from minset.registry import defaults_of
from minset.study import read_study
from minset.units import GPA_EV_A3

EPSILON_EV, SIGMA_A = 0.0104, 3.4
# lattice sums of fcc over all pairs, in nearest neighbours: Kittel, Introduction to Solid State Physics
A12, A6 = 12.13188, 14.45392


def observe(record, system: dict, **options):
    """The collected table of an observable, a row for each structure or facet."""
    settings = defaults_of(record.options) | options
    table = next(iter(record.observe({"model": None}, system, settings, 1).values()))
    return table.set_index(table.columns[0])


@pytest.fixture(scope="session")
def au() -> dict:
    return read_system("au")


@pytest.fixture(scope="session")
def ni() -> dict:
    return read_system("ni")


@pytest.fixture(scope="session")
def argon() -> dict:
    """Argon of Lennard-Jones pairs, with corrections for those beyond six sigma."""
    lines = [f"pair_style lj/cut {6 * SIGMA_A}", f"pair_coeff * * {EPSILON_EV} {SIGMA_A}"]
    lines.append("pair_modify tail yes")
    species = {"Ar": {"mass_u": 39.95, "count": 1}}
    return {"species": species, "potential": {"potential": "lammps", "lines": lines, "files": []}}


def test_a_lennard_jones_crystal_has_the_values_of_its_lattice_sums(argon):
    # E/N = 2 epsilon [A12 (sigma/r)^12 - A6 (sigma/r)^6], V = r^3 / sqrt(2)
    neighbour = SIGMA_A * (2 * A12 / A6) ** (1 / 6)
    energy = -EPSILON_EV * A6**2 / (2 * A12)
    modulus = 4 * EPSILON_EV / SIGMA_A**3 * A12 * (A6 / A12) ** 2.5 / GPA_EV_A3
    row = observe(RELAXATION, argon, structures=["fcc"]).loc["fcc"]
    assert row["neighbour_A"] == pytest.approx(neighbour, rel=2e-4)
    assert row["lattice_a_A"] == pytest.approx(np.sqrt(2) * neighbour, rel=2e-4)
    assert row["energy_eV_atom"] == pytest.approx(energy, rel=2e-4)
    assert row["volume_A3_atom"] == pytest.approx(neighbour**3 / np.sqrt(2), rel=5e-4)
    equation = observe(EQUATION_OF_STATE, argon, structures=["fcc"], volume_percent=3).loc["fcc"]
    assert equation["bulk_modulus_GPa"] == pytest.approx(modulus, rel=0.01)
    assert equation["bulk_modulus_derivative"] == pytest.approx(8, rel=0.05)  # (12 + 6) / 3 + 2
    constants = observe(ELASTIC, argon, structures=["fcc"], strain_percent=0.1).loc["fcc"]
    # Cauchy: pair forces alone, no pressure
    assert constants["c12_GPa"] == pytest.approx(constants["c44_GPa"], rel=0.01)
    from_constants = (constants["c11_GPa"] + 2 * constants["c12_GPa"]) / 3
    assert from_constants == pytest.approx(modulus, rel=0.01)


def test_crystals_of_gold(au):
    table = observe(RELAXATION, au)
    fcc, hcp, fixed, bcc = (table.loc[name] for name in ("fcc", "hcp", "hcp_fixed", "bcc"))
    # the header of Au_u3.eam; Foiles, Baskes and Daw fitted 3.93 eV
    assert fcc["lattice_a_A"] == pytest.approx(4.08, abs=5e-4)
    assert fcc["energy_eV_atom"] == pytest.approx(-3.93, abs=0.002)
    assert fcc["relative_energy_meV_atom"] == 0
    assert 0 < hcp["relative_energy_meV_atom"] <= fixed["relative_energy_meV_atom"]
    assert fixed["relative_energy_meV_atom"] < bcc["relative_energy_meV_atom"]
    assert fixed["lattice_c_A"] / fixed["lattice_a_A"] == pytest.approx(np.sqrt(8 / 3), rel=1e-9)
    assert hcp["lattice_c_A"] / hcp["lattice_a_A"] != pytest.approx(np.sqrt(8 / 3), rel=1e-4)
    assert bcc["neighbour_A"] == pytest.approx(np.sqrt(3) / 2 * bcc["lattice_a_A"], rel=1e-6)
    assert "note" not in table  # all are stable, bcc by a shear modulus of 0.5 GPa


def test_another_ratio_and_another_zero_of_the_energies(ni):
    table = observe(
        RELAXATION, ni, structures=["hcp_fixed", "fcc"], c_over_a=np.sqrt(3), relative_to="fcc"
    )
    row = table.loc["hcp_fixed"]
    assert row["lattice_c_A"] / row["lattice_a_A"] == pytest.approx(np.sqrt(3), rel=1e-9)
    # Jung, "Data distillation for neural network potentials toward foundational dataset" (2023), Table 1
    assert row["energy_eV_atom"] == pytest.approx(-4.847, abs=6e-4)
    assert row["neighbour_A"] == pytest.approx(2.44, abs=0.005)
    assert table.loc["fcc", "energy_eV_atom"] == pytest.approx(-4.876, abs=6e-4)
    assert table.loc["fcc", "neighbour_A"] == pytest.approx(2.49, abs=0.005)
    assert row["relative_energy_meV_atom"] > 13.7  # above that at the ideal ratio
    assert table.loc["fcc", "relative_energy_meV_atom"] == 0


def test_a_crystal_that_falls_into_another_says_so(al):
    table = observe(RELAXATION, al, structures=["fcc", "hcp", "bcc"])
    # Mendelev et al., Phil. Mag. 88, 1723 (2008), Table 2
    assert table.loc["fcc", "lattice_a_A"] == pytest.approx(4.045, abs=0.002)
    assert table.loc["fcc", "energy_eV_atom"] == pytest.approx(-3.411, abs=0.002)
    assert "not stable: let go near its minimum it falls into" in table.loc["bcc", "note"]
    assert table["note"].notna().tolist() == [False, False, True]
    constants = observe(ELASTIC, al)
    assert constants.loc["bcc", "c_prime_GPa"] < 0
    assert "not stable" in constants.loc["bcc", "note"]


def test_surfaces_of_gold_have_the_published_energies(au):
    table = observe(SURFACE_ENERGY, au)
    unrelaxed, relaxed = (
        table[table["atoms"] == state]["surface_energy_J_m2"] for state in ("unrelaxed", "relaxed")
    )
    # measured by LAMMPS
    assert unrelaxed["fcc100"] == pytest.approx(0.978, rel=0.004)
    assert unrelaxed["fcc111"] == pytest.approx(0.829, rel=0.004)
    # Foiles, Baskes and Daw, Phys. Rev. B 33, 7983 (1986): 918, 980 and 790 erg/cm^2
    assert relaxed["fcc100"] == pytest.approx(0.918, rel=0.01)
    assert relaxed["fcc110"] == pytest.approx(0.980, rel=0.01)
    assert relaxed["fcc111"] == pytest.approx(0.790, rel=0.01)
    assert (relaxed < unrelaxed).all()


def test_a_vacuum_through_which_a_slab_sees_its_image_is_noted(au):
    table = observe(SURFACE_ENERGY, au, facets=["fcc100"], vacuum_A=4.0, relaxed=False)
    assert list(table["atoms"]) == ["unrelaxed"]
    (note,) = table["note"]
    assert note.startswith(
        "a vacuum of 4 A is too thin: 10 A more change the surface energy by +0."
    )


def test_a_slab_of_a_salt_is_neutral_and_has_its_layers(kcl):
    from minset.observe.surface_energy import slab

    calculator = EngineCalculator({"model": None}, kcl)
    found = relaxed_crystal("rocksalt", kcl, calculator, defaults_of(SURFACE_ENERGY.options))
    for facet, layers in (("rocksalt100", 5), ("rocksalt110", 6)):
        atoms = slab(facet, found, layers, vacuum_A=12.0)
        heights = np.unique(atoms.positions[:, 2].round(3))
        assert len(heights) == layers
        assert atoms.cell[2, 2] == pytest.approx(np.ptp(heights) + 12, abs=1e-3)
        for height in heights:
            layer = atoms[np.abs(atoms.positions[:, 2] - height) < 0.01]
            assert len(layer[layer.symbols == "K"]) == len(layer[layer.symbols == "Cl"])


def test_a_bulk_modulus_is_the_second_derivative_of_the_energy(au):
    equation = observe(EQUATION_OF_STATE, au, structures=["fcc", "bcc"], volume_percent=4)
    constants = observe(ELASTIC, au, structures=["fcc", "bcc"])
    for structure in ("fcc", "bcc"):
        row = equation.loc[structure]
        numbers = bulk("Au", structure, a=4.0).numbers
        evaluate = lasting_evaluator(au, numbers)

        def energy(volume, structure=structure, evaluate=evaluate):
            a = volume ** (1 / 3) * {"fcc": 4, "bcc": 2}[structure] ** (1 / 3)
            return evaluate(np.zeros((1, 3)), bulk("Au", structure, a=a).cell[:]).energy_eV

        v0 = row["volume_A3_atom"]
        step = 0.02 * v0
        curvature = (energy(v0 + step) - 2 * energy(v0) + energy(v0 - step)) / step**2
        assert row["bulk_modulus_GPa"] == pytest.approx(v0 * curvature / GPA_EV_A3, rel=0.02)
        c = constants.loc[structure]
        assert row["bulk_modulus_GPa"] == pytest.approx(
            (c["c11_GPa"] + 2 * c["c12_GPa"]) / 3, rel=0.02
        )
    # Foiles, Baskes and Daw: C11 183, C12 154, C44 45 GPa
    assert constants.loc["fcc", "c11_GPa"] == pytest.approx(183, rel=0.02)
    assert constants.loc["fcc", "c44_GPa"] == pytest.approx(45, rel=0.02)
    assert constants.loc["bcc", "c_prime_GPa"] == pytest.approx(0.5, abs=0.1)


def test_a_system_without_crystals_says_why(kcl, capsys):
    mixture = {"species": kcl["species"], "composition": {"KCl": 1.0, "K2Cl": 1.0}, "name": "odd"}
    assert crystal_needs(mixture).endswith("odd is neither")
    table = RELAXATION.observe({"model": None}, mixture, defaults_of(RELAXATION.options), 1)
    assert len(table["relaxation"]) == 0
    assert "no relaxation: " in capsys.readouterr().out
    unknown = {key: value for key, value in kcl.items() if key != "crystal"}
    assert "add `crystal` to its file" in crystal_needs(unknown)
    silicon = {"species": {"Si": {"count": 1}}}
    assert "no crystal of Si is known" in crystal_needs(silicon)


def test_crystals_start_with_the_volume_of_the_one_that_is_known(au, kcl):
    assert structures_of(au) == ["fcc", "hcp", "hcp_fixed", "bcc"]
    assert structures_of(kcl) == ["rocksalt", "cesiumchloride"]
    volumes = {s: crystal(au, s).cell.volume / len(crystal(au, s)) for s in structures_of(au)}
    assert np.allclose(list(volumes.values()), 4.08**3 / 4)
    iron = {"species": {"Fe": {"count": 1}}}
    assert structures_of(iron)[0] == "bcc"
    assert lattice_constants_A("bcc", crystal(iron, "bcc")) == pytest.approx((2.87, 2.87))
    titanium = {"species": {"Ti": {"count": 1}}}
    assert lattice_constants_A("hcp", crystal(titanium, "hcp")) == pytest.approx(
        (2.95, 2.95 * 1.588), 0.01
    )
    given = iron | {"crystal": {"structure": "fcc", "a_A": 3.6}}
    assert structures_of(given)[0] == "fcc"
    assert crystal(given, "fcc").cell.volume == pytest.approx(3.6**3 / 4)


@pytest.mark.parametrize("name", ["al", "kcl"])
def test_force_calls_of_a_lasting_lammps_are_those_of_a_new_one(name):
    """Cells that grow, shrink and tilt, and atoms that leave them, one call after the other."""
    system, rng = read_system(name), np.random.default_rng(2)
    start = crystal(system, structures_of(system)[0])
    calls = lasting_evaluator(system, start.numbers), evaluator(system, start.numbers)
    for strain in (0, 0.02, 0.1, 0.05, 0):
        cell = start.cell[:] @ (np.eye(3) + strain * rng.normal(size=(3, 3)))
        positions = start.get_scaled_positions() @ cell
        if strain:
            positions += strain * rng.normal(size=(len(start), 3))
            positions[0] += 7 * cell[1]
        lasting, new = (evaluate(positions, cell) for evaluate in calls)
        assert lasting.energy_eV == pytest.approx(new.energy_eV, abs=1e-9)
        assert np.allclose(lasting.forces_eV_A, new.forces_eV_A, atol=1e-9)
        assert np.allclose(lasting.virial_eV, new.virial_eV, atol=1e-8)


@pytest.mark.parametrize(
    ("file", "changes", "expected"),
    [
        (
            STUDY,
            {"surface_energy": {"vacuum_A": 5}},
            "surface_energy.vacuum_A: 5 A is less than the models' cutoff of 6 A, so a slab would feel "
            "its image; take a vacuum beyond it",
        ),
        (
            STUDY,
            {"surface_energy": {"facets": ["fcc100"]}},
            "surface_energy.facets: fcc100 is no surface of KCl; choose from rocksalt100, rocksalt110",
        ),
        (
            STUDY,
            {"relaxation": {"structures": ["rocksalt", "bcc"]}},
            "relaxation.structures: bcc is no crystal of KCl; choose from rocksalt, cesiumchloride",
        ),
        (
            STUDY,
            {"relaxation": {"structures": ["rocksalt"], "relative_to": "cesiumchloride"}},
            "relaxation.relative_to: cesiumchloride is not among rocksalt",
        ),
        (
            SYSTEM,
            {"crystal": {"structure": "fcc", "a_A": 6.0}},
            "crystal.structure: fcc is of 1 species, and the system has 2",
        ),
        (
            SYSTEM,
            {"crystal/c_A": 6.0},
            "crystal.c_A: rocksalt is cubic; take it away",
        ),
    ],
)
def test_what_cannot_be_computed_stops_a_study(config, file, changes, expected):
    alter(config, file, changes)
    assert mistakes(config) == [f"{config / file}: {expected}"]


def test_a_study_whose_system_has_no_crystal_says_what_to_add(config):
    alter(config, SYSTEM, {"crystal": None})
    alter(config, STUDY, {"elastic": {}})
    (line,) = mistakes(config)
    assert "elastic: no crystal of KCl is known" in line


def test_they_are_computed_where_asked_for_of_all_models_and_references(config):
    before = read_study("demo-classical", config)
    assert before.observed("relaxation") == []
    alter(config, STUDY, {"relaxation": {}, "models/small/members": 2})
    study = read_study("demo-classical", config)
    assert study.observed("relaxation") == ["bmhtf", *study.runs]
    assert any(run.endswith("-m2") for run in study.runs)
    assert study.observed("elastic") == []
    assert study.observable_settings("relaxation") == defaults_of(RELAXATION.options)
    run = study.runs[0]
    assert study.crystal_system("kcl", "bmhtf")["potential"]["potential"] == "tosi_fumi"
    assert "potential" not in study.crystal_system("kcl", run)
    assert study.crystal_system("kcl", run)["crystal"] == {"a_A": 6.29, "structure": "rocksalt"}
