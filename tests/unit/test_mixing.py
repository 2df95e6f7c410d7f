"""Tosi-Fumi potentials of mixtures: mixing rules against numbers by hand, and the salts themselves."""

from math import sqrt

import pytest
import yaml
from studies import CONFIG, alter, mistakes

from minset.config import load_study
from minset.potential.mixing import mixed_pairs
from minset.potential.tosi_fumi import commands

SYSTEM = "systems/licl-kcl.yaml"
STUDY = "salts-lithium"


def salts() -> dict:
    """Pairs of lithium and potassium chloride as the system file has them."""
    return yaml.safe_load((CONFIG / SYSTEM).read_text())["potentials"]["bmhtf"]["salts"]


def by_sorted_names(pairs: dict) -> dict:
    return {"-".join(sorted(name.split("-"))): p for name, p in pairs.items()}


@pytest.mark.parametrize("salt", ["LiCl", "KCl"])
def test_a_mixture_with_all_of_one_salt_is_that_salt(salt):
    """To the last digit, alone or with next to nothing of the other one."""
    wanted, both = by_sorted_names(salts()[salt]), salts()
    assert mixed_pairs({salt: both[salt]}, {salt: 1.0}) == wanted
    mixed = mixed_pairs(both, {name: 1 - 1e-12 if name == salt else 1e-12 for name in both})
    assert {name: mixed[name] for name in wanted} == wanted


def test_the_mixture_has_the_parameters_computed_by_hand():
    """Of 0.588 LiCl and 0.412 KCl, and of Tosi and Fumi's own numbers for lithium beside potassium."""
    _, systems = load_study(STUDY, CONFIG)
    value = systems["licl-kcl"]["potentials"]["bmhtf"]
    assert not {"salts", "mixing"} & value.keys()
    pairs = value["pairs"]
    assert set(pairs) == {"Cl-Cl", "Cl-K", "Cl-Li", "K-K", "K-Li", "Li-Li"}
    # 1/rho = 0.588/0.342 + 0.412/0.337 = 1.719298 + 1.222552
    assert {p["rho_A"] for p in pairs.values()} == {round(1 / 2.941850, 6)}
    # the common ion: 0.588 * 69.280751 + 0.412 * 77.706788, 0.588 * 139.185652 + 0.412 * 156.037727
    assert pairs["Cl-Cl"]["C_eV_A6"] == pytest.approx(72.752278, abs=2e-6)
    assert pairs["Cl-Cl"]["D_eV_A8"] == pytest.approx(146.128707, abs=2e-6)
    # pairs of one salt keep their own
    assert (pairs["Cl-Li"]["C_eV_A6"], pairs["Cl-Li"]["D_eV_A8"]) == (1.248302, 1.497962)
    # unlike cations: b (1 + 1/2 + 1/8) with b = 0.338e-19 J = 0.210963 eV; radii of 0.816 and 1.463 A
    assert pairs["K-Li"]["A_eV"] == pytest.approx(0.210963 * 1.625, abs=1e-6)
    assert pairs["K-Li"]["sigma_A"] == pytest.approx(0.816 + 1.463)
    # in 1e-60 erg cm^6 and 1e-76 erg cm^8: sqrt(0.073 * 24.3), sqrt(0.03 * 24)
    assert pairs["K-Li"]["C_eV_A6"] == pytest.approx(0.62415091 * sqrt(0.073 * 24.3), abs=5e-6)
    assert pairs["K-Li"]["D_eV_A8"] == pytest.approx(0.62415091 * sqrt(0.03 * 24), abs=1e-5)


def test_a_pair_of_unlike_ions_that_no_salt_has():
    """Lithium and chlorine in LiF with KCl: Tosi and Fumi's A and sigma of LiCl."""
    one = {"A_eV": 0.0, "rho_A": 0.3, "sigma_A": 0.0, "C_eV_A6": 0.0, "D_eV_A8": 0.0}
    both = {
        "LiF": {"Li-Li": salts()["LiCl"]["Li-Li"], "Li-F": one, "F-F": one},
        "KCl": salts()["KCl"],
    }
    mixed, own = mixed_pairs(both, {"LiF": 0.5, "KCl": 0.5}), salts()["LiCl"]["Li-Cl"]
    assert mixed["Cl-Li"]["A_eV"] == pytest.approx(own["A_eV"], abs=1e-6)
    assert mixed["Cl-Li"]["sigma_A"] == pytest.approx(own["sigma_A"])


def test_the_dispersion_of_a_mixture_attracts():
    """LAMMPS adds D/r^8: what it gets is negative for every pair."""
    _, systems = load_study(STUDY, CONFIG)
    system = systems["licl-kcl"]
    lines = commands(system | {"potential": system["potentials"]["bmhtf"]})
    coefficients = [line.split() for line in lines if line.startswith("pair_coeff")]
    assert len(coefficients) == 6
    assert all(float(c[-2]) > 0 > float(c[-1]) for c in coefficients)


def test_the_order_of_salts_and_of_ions_in_pairs_changes_nothing():
    both, fractions = salts(), {"LiCl": 0.588, "KCl": 0.412}
    turned = {
        salt: {"-".join(reversed(name.split("-"))): p for name, p in pairs.items()}
        for salt, pairs in reversed(both.items())
    }
    assert mixed_pairs(turned, fractions) == mixed_pairs(both, fractions)


PLACE = "potentials/bmhtf"
WRONG = {
    "no rule": ({f"{PLACE}/mixing": None}, ".mixing: `salts` need a rule"),
    "unknown rule": ({f"{PLACE}/mixing": "kong"}, ".mixing: 'kong' is not known"),
    "both": ({f"{PLACE}/pairs": salts()["KCl"]}, ".pairs: there are `salts` as well"),
    "neither": ({f"{PLACE}/mixing": None, f"{PLACE}/salts": None}, ".pairs: missing; give"),
    "rule alone": ({f"{PLACE}/salts": None}, ".mixing: it mixes `salts`, and there are none"),
    "pair missing": (
        {f"{PLACE}/salts/KCl/K-Cl": None},
        ".salts.KCl: parameters of K-Cl are missing",
    ),
    "pair of another": (
        {f"{PLACE}/salts/KCl/Li-Cl": salts()["LiCl"]["Li-Cl"]},
        ".salts.KCl.Li-Cl: Li is not in species",
    ),
    "formula": ({f"{PLACE}/salts/NaCl": salts()["KCl"]}, ".salts.NaCl: this must be a formula of"),
    "other composition": (
        {"composition": {"LiCl": 0.5, "K2Cl2": 0.5}},
        ".salts: they are LiCl, KCl, and the system is made of LiCl, K2Cl2",
    ),
    "two of rho": ({f"{PLACE}/salts/KCl/K-Cl/rho_A": 0.3}, ".salts.KCl: its pairs differ in rho_A"),
}


@pytest.mark.parametrize("name", WRONG)
def test_mistakes_of_salts(config, name):
    changes, said = WRONG[name]
    alter(config, SYSTEM, changes)
    (line,) = mistakes(config, STUDY)
    assert line.startswith(f"{config / SYSTEM}: potentials.bmhtf{said}")
