"""Numbers that cannot be are mistakes, and what is seldom meant is a line at every start."""

import pytest
from studies import CONFIG, STUDY, SYSTEM, alter, mistakes

from minset.config import load_study
from minset.config.doubts import doubts
from minset.config.plausibility import charge_mistakes, mass_mistakes

FIT = "reference/density/0"
PAIR = "potentials/bmhtf/pairs/K-Cl"
OWN = {"potentials/bmhtf-published-sign": None}
WRONG = {
    "mass of the other species": (
        SYSTEM,
        {"species/K/mass_u": 35.453},
        "species.K.mass_u: 35.453 u, this is the mass of Cl; K has 39.0983 u",
    ),
    "mass of nothing here": (SYSTEM, {"species/K/mass_u": 19.0}, "species.K.mass_u: 19 u; K has"),
    "charges swapped": (
        SYSTEM,
        {"species/K/charge": -1.0, "species/Cl/charge": 1.0},
        "species: charges of K and Cl look swapped",
    ),
    "alkali metal twice charged": (
        SYSTEM,
        {"species/K/charge": 2.0, "species/K/count": 1, "species/Cl/count": 2},
        "species.K.charge: +2 e; K has at most +1 e",
    ),
    "negative metal": (
        SYSTEM,
        {
            "species/K/charge": -1.0,
            "species/K/count": 1,
            "species/Cl/charge": 0,
            "species/Cl/count": 1,
        },
        "species.K.charge: -1 e; K has a positive charge",
    ),
    "A in kJ/mol": (
        SYSTEM,
        OWN | {f"{PAIR}/A_eV": 25.44},
        "pairs.K-Cl.A_eV: 25.44 eV looks like kJ/mol: 25.44 kJ/mol are 0.2637 eV",
    ),
    "sigma in nm": (
        SYSTEM,
        OWN | {f"{PAIR}/sigma_A": 0.3048},
        "pairs.K-Cl.sigma_A: 0.3048 A looks like nm: 0.3048 nm are 3.048 A",
    ),
    "rho in nm": (
        SYSTEM,
        OWN | {f"{PAIR}/rho_A": 0.0337},
        "pairs.K-Cl.rho_A: 0.0337 A looks like nm",
    ),
    "fit in Celsius": (
        SYSTEM,
        {f"{FIT}/min_K": 780, f"{FIT}/max_K": 939},
        "reference.density.0.max_K: 939 K is far below the melting point, 1044.15 K; this looks like "
        "Celsius: 939 C are 1212.15 K",
    ),
    "begin of a fit in Celsius": (
        SYSTEM,
        {f"{FIT}/min_K": 780},
        "reference.density.0.min_K: 780 K is far below the melting point",
    ),
    "fit in kg/m^3": (
        SYSTEM,
        {f"{FIT}/a_g_cm3": 2135.9, f"{FIT}/b_g_cm3_K": 0.5831},
        "reference.density.0: 1521.9 g/cm^3 at min_K; this looks like kg/m^3",
    ),
    "pool in kg/m^3": (
        STUDY,
        {"pool/density_g_cm3": 1436},
        "pool.density_g_cm3: 1436 g/cm^3, and Janz 1988 has 1.43 at 1212 K; this looks like kg/m^3, "
        "which are 1.436 g/cm^3",
    ),
    "simulation by number density": (
        STUDY,
        {"simulations/npt_1200K/density_g_cm3": 0.023},
        "simulations.npt_1200K.density_g_cm3: 0.023 g/cm^3, and Janz 1988 has 1.44 at 1200 K; give the",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_number_that_cannot_be_is_a_mistake(config, name):
    file, changes, said = WRONG[name]
    alter(config, file, changes)
    lines = mistakes(config)
    assert any(f"{config / file}: " in line and said in line for line in lines), lines


@pytest.mark.parametrize("mass_u", [1.008, 2.014, 3.016])
def test_isotopes_of_hydrogen_are_masses_of_hydrogen(mass_u):
    assert mass_mistakes({"H": {"mass_u": mass_u}}) == []
    assert mass_mistakes({"K": {"mass_u": 40.0}}) == []  # potassium-40


def test_a_halogen_beside_oxygen_may_be_positive():
    charges = {"Na": 1, "Cl": 7, "O": -2}
    assert charge_mistakes({symbol: {"charge": q} for symbol, q in charges.items()}) == []


def said(config, study="demo-classical") -> list[str]:
    lines = []
    load_study(study, config, say=lines.append)
    return lines


def simulation(**changes) -> dict:
    return {f"simulations/npt_1200K/{key}": value for key, value in changes.items()}


DOUBTS = {
    "dense start": (
        {"pool/density_g_cm3": 2.0, "pool/temperature_K": [1200, 1100]},
        "pool.density_g_cm3: 2 g/cm^3, and Janz 1988 has 1.44 for kcl at 1200 K",
        2,
    ),
    "hot": (
        simulation(temperature_K=1800, density_g_cm3=1.2),
        "simulations.npt_1200K.temperature_K: 1800 K, and the pool's frames are from 1100 to 1700 K",
        1,
    ),
    "pressure": (
        simulation(pressure_bar=20000),
        "simulations.npt_1200K.pressure_bar: 20000 bar, and the pool's frames are at 5000 bar",
        1,
    ),
    "long step": (
        simulation(timestep_fs=8),
        "simulations.npt_1200K.timestep_fs: 8 fs with Cl of kcl: 5.5 fs would resolve",
        1,
    ),
}


@pytest.mark.parametrize("name", DOUBTS)
def test_a_doubt_is_said_and_stops_nothing(config, name):
    changes, words, number = DOUBTS[name]
    alter(config, STUDY, changes)
    lines = said(config)
    assert len(lines) <= number, lines
    assert any(line.startswith(f"{config / STUDY}: {words}") for line in lines), lines


def test_a_pressure_with_room_is_no_doubt(config):
    alter(config, STUDY, simulation(pressure_bar=14000))
    assert said(config) == []


def test_the_usual_step_of_hydrogen(config):
    """2 fs is a doubt with hydrogen, and 1 fs none."""
    study, systems = load_study("demo-metal", config)
    hydride = {"h": systems["al"] | {"species": {"H": {"mass_u": 1.008}}}}
    lines = [line for line in doubts(study, hydride) if "timestep" in line]
    assert len(lines) == 3
    assert "2 fs with H of h: 1 fs would resolve" in lines[0]
    study["pool"]["timestep_fs"] = 1.0
    assert len([line for line in doubts(study, hydride) if "timestep" in line]) == 2


def test_mole_fractions_far_from_those_asked_for_are_shown(config):
    alter(config, "studies/salts-lithium.yaml", {"pool/ions": 8})
    (line,) = said(config, "salts-lithium")
    assert (
        "pool.ions: licl-kcl: 8 ions: 2 LiCl + 2 KCl (mole fractions 0.500, 0.500; asked for 0.588, "
        "0.412); more ions come nearer"
    ) in line


@pytest.mark.parametrize("study", sorted(p.stem for p in (CONFIG / "studies").glob("*.yaml")))
def test_shipped_studies_leave_no_doubt(config, study):
    assert said(config, study) == []
