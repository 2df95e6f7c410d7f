"""Whole numbers of formula units: nearest to the wanted mole fractions, for exactly so many ions."""

from collections import Counter

import pytest
from studies import STUDY, SYSTEM, alter, mistakes

from minset.system import (
    atoms_of,
    composition,
    composition_in_words,
    formula_units,
    largest_deviation,
)

LI, K, CL = {"charge": 1.0}, {"charge": 1.0}, {"charge": -1.0}


def mixture(**fractions) -> dict:
    """A system of formula units with mole fractions."""
    elements = dict.fromkeys(symbol for formula in fractions for symbol in atoms_of(formula))
    return {"name": "-".join(fractions), "species": {e: {} for e in elements}} | {
        "composition": fractions
    }


def all_units(sizes: list[int], ions: int):
    """All positive whole numbers of formula units that make so many ions."""
    if len(sizes) == 1:
        if ions > 0 and ions % sizes[0] == 0:
            yield (ions // sizes[0],)
        return
    for first in range(1, ions // sizes[0] + 1):
        for rest in all_units(sizes[1:], ions - first * sizes[0]):
            yield (first, *rest)


def nearest(system: dict, ions: int) -> tuple[float, float]:
    """Largest and squared deviations of the nearest whole numbers, of all that there are."""
    names = list(system["composition"])
    sizes = [sum(atoms_of(name).values()) for name in names]
    every = (dict(zip(names, units, strict=True)) for units in all_units(sizes, ions))
    return min(deviations(system, units) for units in every)


def deviations(system: dict, units: dict) -> tuple[float, float]:
    total = sum(units.values())
    off = [abs(n / total - system["composition"][name]) for name, n in units.items()]
    return round(max(off), 10), round(sum(d * d for d in off), 10)


MIXTURES = [
    mixture(LiCl=0.588, KCl=0.412),
    mixture(NaCl=0.5, KCl=0.5),
    mixture(MgCl2=0.37, NaCl=0.63),
    mixture(LaCl3=0.05, LiCl=0.56, KCl=0.39),
    mixture(NaF=0.115, KF=0.42, LiF=0.465),
    mixture(Al2O3=0.1, Na3AlF6=0.9),
    mixture(Fe=0.2, Ni=0.2, Cr=0.2, Co=0.2, Mn=0.2),
]


@pytest.mark.parametrize("system", MIXTURES, ids=lambda s: s["name"])
@pytest.mark.parametrize("ions", [20, 31, 38])
def test_the_numbers_are_the_nearest_of_all(system, ions):
    """Against a search through all whole numbers; where there are none, it says so."""
    try:
        units = formula_units(system, ions)
    except ValueError:
        with pytest.raises(ValueError, match="min"):
            nearest(system, ions)
    else:
        assert deviations(system, units) == nearest(system, ions)


@pytest.mark.parametrize("ions", [64, 1000, 46656])
def test_ions_are_exactly_as_many_as_asked_for_and_neutral(ions):
    system = mixture(LiCl=0.588, KCl=0.412)
    counts = Counter(composition(system, ions))
    assert sum(counts.values()) == ions
    assert counts["Cl"] == counts["Li"] + counts["K"]
    assert counts["Li"] / counts["Cl"] == pytest.approx(0.588, abs=1 / ions)
    assert largest_deviation(system, ions) <= 1 / ions


def test_a_plain_compound_is_a_mixture_of_one():
    plain = {"name": "magnesium chloride", "species": {"Mg": {"count": 1}, "Cl": {"count": 2}}}
    assert composition(plain, 9) == ["Mg"] * 3 + ["Cl"] * 6 == composition(mixture(MgCl2=1), 9)
    assert composition_in_words(plain, 9) == "9 atoms: 3 MgCl2"
    assert largest_deviation(plain, 9) == 0


def test_what_was_rounded_is_shown():
    system = mixture(LiCl=0.592, KCl=0.408)
    system["species"] = {"Li": LI, "K": K, "Cl": CL}
    assert composition_in_words(system, 64) == (
        "64 ions: 19 LiCl + 13 KCl (mole fractions 0.594, 0.406; asked for 0.592, 0.408)"
    )
    assert composition(system, 64) == ["Li"] * 19 + ["K"] * 13 + ["Cl"] * 32
    assert largest_deviation(system, 64) == pytest.approx(19 / 32 - 0.592)


def test_the_order_in_the_file_changes_nothing():
    """Of equally near ones too: three pairs of two salts."""
    one, other = mixture(NaCl=0.5, KCl=0.5), mixture(KCl=0.5, NaCl=0.5)
    assert formula_units(one, 6) == formula_units(other, 6)
    assert list(formula_units(other, 6)) == ["KCl", "NaCl"]


def test_numbers_that_do_not_work_name_the_nearest_that_do():
    with pytest.raises(ValueError, match=r"^65 ions .* of LiCl-KCl; use 64 or 66$"):
        composition(mixture(LiCl=0.5, KCl=0.5), 65)
    with pytest.raises(ValueError, match=r"use 4$"):
        composition(mixture(LiCl=0.9, KCl=0.1), 2)  # one of each at least
    with pytest.raises(ValueError, match=r"use 16 or 20$"):
        composition({"name": "w", "species": {"Si": {"count": 1}, "O": {"count": 3}}}, 18)


def test_a_system_that_does_not_say_what_it_is_made_of():
    with pytest.raises(ValueError, match=r"add `count` to each of its species, or `composition`"):
        composition({"name": "mine", "species": {"Li": LI, "Cl": CL}}, 64)


UNCOUNTED = {"species/K/count": None, "species/Cl/count": None}
WRONG = {
    "both": ({"composition": {"KCl": 1}}, "composition: species have `count` as well"),
    "some counts": ({"species/K/count": None}, "species: other species have `count`; add it to"),
    "sum": (UNCOUNTED | {"composition": {"KCl": 0.9}}, "the mole fractions sum to 0.9"),
    "no formula": (UNCOUNTED | {"composition": {"kcl": 1}}, "composition.kcl: this is no formula"),
    "other element": (UNCOUNTED | {"composition": {"NaCl": 1}}, "composition.NaCl: Na is not in"),
    "charged": (
        UNCOUNTED | {"composition": {"KCl2": 1}},
        "composition.KCl2: it has a charge of -1",
    ),
    "species left over": (
        UNCOUNTED | {"composition": {"K": 1}, "species/K/charge": 0},
        "species.Cl: it is in no formula of `composition` (K)",
    ),
    "huge": (UNCOUNTED | {"composition": {"K9999Cl9999": 1}}, "at most 1000 atoms"),
    "no pattern": (UNCOUNTED | {"composition": {"K-Cl": 1}}, "it must be a formula like MgCl2"),
}


@pytest.mark.parametrize("name", WRONG)
def test_mistakes_of_a_composition(config, name):
    changes, said = WRONG[name]
    alter(config, SYSTEM, changes)
    (line,) = mistakes(config)
    assert line.startswith(f"{config / SYSTEM}: ")
    assert said in line


def test_melts_of_a_system_that_says_nothing_are_mistakes(config):
    alter(config, SYSTEM, UNCOUNTED)
    lines = mistakes(config)
    assert any("pool.ions: what KCl is made of is not told; add `count`" in line for line in lines)


def test_a_mixture_under_a_name_with_hyphens(config):
    """Its composition reaches the jobs; a name with a hyphen at its end is refused."""
    from minset.study import Study, read_study

    alter(config, SYSTEM, UNCOUNTED | {"composition": {"KCl": 1}, "name": "K-Cl"})
    (config / SYSTEM).rename(config / "systems/k-cl.yaml")
    alter(config, STUDY, {"systems": ["k-cl"]})
    study = read_study("demo-classical", config)
    assert isinstance(study, Study)
    assert study.md_system("k-cl")["composition"] == {"KCl": 1}
    alter(config, STUDY, {"systems": ["k-cl-"]})
    assert "lower-case letters, digits, _ and - between them" in mistakes(config)[0]
