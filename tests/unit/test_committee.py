"""The mean of a committee as an engine: a potential, with the disagreement beside the thermodynamics."""

import json

import numpy as np
import pytest
from ase.build import bulk
from samples import gold_committee, numerical_force
from studies import alter, mistakes

from minset.config import load_study
from minset.md.engines import LIMITS, committee_engine
from minset.md.files import SPREAD_COLUMN, THERMO, read_thermo
from minset.md.run import Protocol, run_md
from minset.model import evaluator_of
from minset.model.committee import force_spread_eV_A, mean_evaluator
from minset.names import MEAN, is_model, run_name, run_row
from minset.outputs import TABLES
from minset.study import Study

GOLD = {"species": {"Au": {"count": 1, "mass_u": 196.966569}}}
METAL = "studies/demo-metal.yaml"


@pytest.fixture(scope="module")
def committee(tmp_path_factory):
    return gold_committee(tmp_path_factory, segments=1024)


@pytest.fixture
def gold():
    atoms = bulk("Au", "bcc", a=3.24, cubic=True).repeat(2)
    atoms.rattle(0.05, seed=4)
    return atoms


def test_the_mean_is_a_potential_and_the_spread_that_of_its_members(committee, gold):
    told = []
    members = [evaluator_of(folder, gold.numbers) for folder in committee]
    mean = mean_evaluator(members, told.append)
    cell, calls = gold.cell[:], [member(gold.positions, gold.cell[:]) for member in members]
    call = mean(gold.positions, cell)
    assert call.energy_eV == pytest.approx(np.mean([c.energy_eV for c in calls]), rel=1e-12)
    assert call.atomic_energies_eV.sum() == pytest.approx(call.energy_eV, rel=1e-5)
    assert call.virial_eV == pytest.approx(np.mean([c.virial_eV for c in calls], axis=0))
    for atom, axis in ((0, 0), (5, 2)):
        force = numerical_force(lambda x: mean(x, cell).energy_eV, gold.positions, atom, axis, 0.02)
        assert call.forces_eV_A[atom, axis] == pytest.approx(force, abs=5e-3)
    off = np.array([c.forces_eV_A - call.forces_eV_A for c in calls])
    by_hand = np.sqrt(np.square(off).sum(axis=2).mean(axis=0)).max()
    assert force_spread_eV_A(calls) == pytest.approx(by_hand, rel=1e-4)
    assert told[0] == pytest.approx(by_hand, rel=1e-4)


def test_md_with_the_mean_conserves_energy_and_records_the_spread(committee, gold, tmp_path):
    """Also in the part after a restart; the recorded value is that of the frame."""
    protocol = Protocol(
        "nve", (300.0, 300.0), 0.4, 1.0, sample_ps=0.1, thermo_ps=0.02, seed=3, checkpoint_ps=0.2
    )
    attach = committee_engine(committee, LIMITS, {})
    verdict = run_md(gold, GOLD, attach, protocol, tmp_path)
    assert verdict["stable"], verdict["reason"]
    thermo = read_thermo(tmp_path)
    assert (tmp_path / THERMO).read_text().splitlines()[0].endswith(SPREAD_COLUMN)
    assert np.ptp(thermo["conserved_energy_eV"]) / len(gold) < 1e-4
    spread = thermo[SPREAD_COLUMN]
    assert len(spread) == 21
    assert verdict[SPREAD_COLUMN] == pytest.approx([spread.mean(), spread.max()])
    calls = [evaluator_of(f, gold.numbers)(gold.positions, gold.cell[:]) for f in committee]
    assert spread.iloc[0] == pytest.approx(force_spread_eV_A(calls), rel=1e-3)


def test_a_simulation_asks_for_the_mean_by_its_name(config):
    alter(config, METAL, {"simulations/nvt_1200K/members": [1, "mean"]})
    study = Study("demo-metal", *load_study("demo-metal", config))
    engine = run_name("committee-n12-s1", "small", MEAN)
    assert engine == "committee-n12-s1-small-mean"
    assert is_model(engine)
    assert run_row(engine)["member"] == MEAN
    assert engine in study.simulated("nvt_1200K")
    assert "committee-n12-s1-small" in study.simulated("nvt_1200K")
    assert not any(run.endswith("-mean") for run in study.simulated("npt_1200K") + study.runs)
    assert study.models_of(engine) == study.members("committee-n12-s1", "small")
    assert study.models_of("committee-n12-s1-small-m2") == ["committee-n12-s1-small-m2"]
    assert study.models_of("mishin") == []


def test_a_mean_of_nothing_or_of_a_certificate_is_refused(config):
    alter(config, METAL, {"simulations/nvt_1200K/members": ["mean"], "models/small/members": 1})
    found = "\n".join(mistakes(config, "demo-metal"))
    assert "simulations.nvt_1200K.members: there is no committee of which" in found
    alter(config, METAL, {"models/small/members": 3, "simulations/nvt_1200K/certificate": {}})
    found = "\n".join(mistakes(config, "demo-metal"))
    assert "simulations.nvt_1200K.members: certificates are of single models" in found


def test_the_table_of_simulations_has_the_spread_where_there_is_one(tmp_path):
    verdict = {"stable": True, "phase": "production", "reached_ps": 1.0, "ns_per_day": 2.0}
    paths = [tmp_path / "mean.json", tmp_path / "one.json"]
    paths[0].write_text(json.dumps(verdict | {"reason": "", SPREAD_COLUMN: [0.02, 0.05]}))
    paths[1].write_text(json.dumps(verdict | {"reason": ""}))
    table = TABLES["stability"].make({}, [(path, {"engine": path.stem}) for path in paths], {})
    assert table[f"largest_{SPREAD_COLUMN}"].tolist()[0] == 0.05
    assert np.isnan(table[SPREAD_COLUMN][1])
    alone = TABLES["stability"].make({}, [(paths[1], {"engine": "one"})], {})
    assert SPREAD_COLUMN not in alone
