"""Each mistake in a study or system file gives one line with file, key and remedy."""

import pytest
from studies import GRID, STUDY, SYSTEM, alter, mistakes

pytestmark = pytest.mark.usefixtures("small_registries")

MISTAKES = {
    "unknown key": (STUDY, {"colour": "red"}, "unknown key colour", "known are description, "),
    "unknown key further in": (
        STUDY,
        {"models/small/training/epochs": 3},
        "models.small.training: unknown key epochs",
        "known of `schnet` are batch_size, energy_weight, force_weight, learning_rate, max_epochs",
    ),
    "key of a SchNet for a GAP": (
        STUDY,
        {"models/soap": {"model": "gap", "size": "small"}},
        "models.soap.size: a key of schnet, not of gap",
        "not of gap",
    ),
    "key of a GAP for a SchNet": (
        STUDY,
        {"models/small/zeta": 2},
        "models.small.zeta: a key of gap, not of schnet",
        "not of schnet",
    ),
    "key of no model": (
        STUDY,
        {"models/small/layers": 2},
        "models.small: unknown key layers",
        "known of `schnet` are baseline, cutoff_A, gaussians, members, model, ",
    ),
    "key of a GAP's training for a SchNet": (
        STUDY,
        {"models/small/training/sparse_points": 100},
        "models.small.training.sparse_points: a key of gap, not of schnet",
        "not of schnet",
    ),
    "key of no selector": (
        STUDY,
        {"selectors/rnd": {"steps": 3}},
        "selectors.rnd: unknown key steps",
        "known of `rnd` are atoms, hidden, max_steps, metric, picks_per_training, selector",
    ),
    "SchNet without a size": (
        STUDY,
        {"models/small/size": None},
        "models.small: missing key size",
        "schnet needs it",
    ),
    "unknown kind of model": (
        STUDY,
        {"models/small/model": "mlp"},
        "models.small.model: 'mlp' is not known",
        "choose from gap, schnet",
    ),
    "unknown key of a system": (
        SYSTEM,
        {"species/K/radius": 1.5},
        "species.K: unknown key radius",
        "known are charge, count, mass_u",
    ),
    "missing keys": (
        STUDY,
        {"pool/ions": None, "pool/seed": None},
        "pool: ",
        "missing key ions, seed",
    ),
    "GPU for a rule that cannot use it": (
        STUDY,
        {"gpu": ["label"]},
        "gpu.0: 'label' is not known",
        "choose from train, simulate",
    ),
    "wrong type": (STUDY, {"pool/frames": "many"}, "pool.frames: ", "not of type 'integer'"),
    "out of range": (STUDY, {"pool/duration_ps": -1}, "pool.duration_ps: ", "minimum of 0"),
    "wrong type among alternatives": (
        STUDY,
        {"simulations/nvt_1200K/density_g_cm3": "dense"},
        "simulations.nvt_1200K.density_g_cm3: 'dense'",
        "give 'experiment' or 'pool' or a number",
    ),
    "setting of another labeler": (
        STUDY,
        {"labels/settings": {"cutoff_Ry": 400}},
        "labels.settings.cutoff_Ry: a key of cp2k, not of potential",
        "a key of cp2k",
    ),
    "setting of no labeler": (
        STUDY,
        {"labels/settings": {"cutoff": 400}},
        "labels.settings: unknown key cutoff",
        "known of `potential` are potential",
    ),
    "number of jobs, as in 0.1, beside that of frames": (
        STUDY,
        {"labels/batches": 3, "labels/frames_per_job": 8},
        "labels: unknown key batches",
        "known are cores, failed_share, frames_per_job, ",
    ),
    "what a potential finds itself": (
        SYSTEM,
        {"potentials/bmhtf-published-sign": None, "potentials/bmhtf/pairs/K-Cl": None},
        "potentials.bmhtf.pairs: ",
        "parameters of K-Cl are missing",
    ),
    "pair without a parameter": (
        SYSTEM,
        {"potentials/bmhtf-published-sign": None, "potentials/bmhtf/pairs/K-Cl": {"A_eV": 1.0}},
        "potentials.bmhtf.pairs.K-Cl: missing key rho_A, sigma_A, C_eV_A6, D_eV_A8",
        "missing",
    ),
    "potential without its kind": (
        SYSTEM,
        {"potentials/bmhtf/potential": None},
        "potentials.bmhtf: missing key potential",
        "choose from coulomb, eam, tosi_fumi",
    ),
    "unknown kind of potential": (
        SYSTEM,
        {"potentials/bmhtf/potential": "buckingham"},
        "potentials.bmhtf.potential: 'buckingham' is not known",
        "choose from coulomb, eam, tosi_fumi",
    ),
    "key of another kind of potential": (
        SYSTEM,
        {"potentials/bmhtf/file": "K.eam.fs"},
        "potentials.bmhtf.file: a key of eam, not of tosi_fumi",
        "a key of eam",
    ),
    "potential without a source": (
        SYSTEM,
        {"potentials/bmhtf/source": None},
        "potentials.bmhtf: missing key source",
        "tosi_fumi needs it",
    ),
    "potential named like a trained model": (
        SYSTEM,
        {"potentials/rnd-n8-s1-small": {"potential": "eam", "file": "a", "source": "b"}},
        "potentials: 'rnd-n8-s1-small' cannot be used",
        "not like a trained model's",
    ),
    "potential of charges without any": (
        SYSTEM,
        {
            "species/K/charge": None,
            "species/Cl/charge": None,
            "potentials/bmhtf-published-sign": None,
            "potentials/screened-charges": None,
            "potentials/formal-charges": None,
        },
        "potentials.bmhtf: tosi_fumi needs charges",
        "add `charge` in e to species.K and species.Cl",
    ),
    "potential that the system does not have": (
        STUDY,
        {"pool/potential": "madelung", "labels/settings": {"potential": "bmhtf"}, "reference": []},
        "pool.potential: ",
        "systems/kcl.yaml has no potential madelung, it has bmhtf, bmhtf-published-sign",
    ),
    "reference that holds no matter": (
        STUDY,
        {"reference": ["screened-charges"]},
        "reference.0: coulomb keeps no atoms apart",
        "`baseline` of a model",
    ),
    "baseline that the system does not have": (
        STUDY,
        {"models/small/baseline": "charges"},
        "models.small.baseline: ",
        "has no potential charges, it has bmhtf, bmhtf-published-sign, screened-charges, formal-charges",
    ),
    "reference that the system does not have": (
        STUDY,
        {"reference": ["bmhtf", "madelung"]},
        "reference.1: ",
        "systems/kcl.yaml has no potential madelung, it has bmhtf, bmhtf-published-sign",
    ),
    "charged formula unit": (
        SYSTEM,
        {"species/K/count": 2},
        "species: one formula unit has a charge of +1 e",
        "must be 0",
    ),
    "size larger than the pool": (
        STUDY,
        {"sizes": [8, 181]},
        "sizes: 181 frames cannot be selected from 180",
        "raise pool.frames",
    ),
    "held-out frames larger than the pool": (
        STUDY,
        {"test/frames": 200},
        "sizes: 8 frames cannot be selected from -4",
        "raise pool.frames",
    ),
    "RDF range of nvt": (
        STUDY,
        {"rdf/range_A": 6.5},
        "simulations.nvt_1200K.ions: 32 ions make a cell of 11.",
        "use more ions or a range of at most 5.",
    ),
    "RDF range of nve": (
        STUDY,
        {"simulations/nvt_1200K/ensemble": "nve", "rdf/range_A": 6.5},
        "simulations.nvt_1200K.ions: 32 ions make a cell of 11.",
        "use more ions or a range of at most 5.",
    ),
    "pool of an unknown study": (
        STUDY,
        {"pool": {"study": "nothing"}},
        "pool.study: ",
        "studies/nothing.yaml does not exist; there are: ",
    ),
    "pool of a study without one": (
        STUDY,
        {"pool": {"study": "nacl-rnd-options-laptop"}},
        "pool.study: nacl-rnd-options-laptop has no pool of its own",
        "name nacl-selectors-laptop",
    ),
    "option of another selector": (
        STUDY,
        {"selectors/random": {"max_steps": 10}},
        "selectors.random.max_steps: a key of rnd, not of random",
        "a key of rnd",
    ),
    "test runs that the pool does not have": (
        STUDY,
        {"test/temperatures_K": [1400]},
        "test.temperatures_K: 1400 K is not among pool.temperatures_K",
        "whose runs serve the test alone",
    ),
    "more seeds at a size that is not there": (
        STUDY,
        {"more_seeds": {"sizes": [12], "seeds": [2]}},
        "more_seeds.sizes: 12 is not among",
        "the study's sizes",
    ),
    "more seeds that are there already": (
        STUDY,
        {"more_seeds": {"sizes": [8], "seeds": [1]}},
        "more_seeds.seeds: 1 is among the study's seeds already",
        "already",
    ),
    "unknown selector": (
        STUDY,
        {"selectors": {"fastest": {}}},
        "selectors.fastest: no selector of that name",
        "choose from atomic_energy, disagreement, entropy_gain, ",
    ),
    "unknown selector under another name": (
        STUDY,
        {"selectors/mine": {"selector": "fastest"}},
        "selectors.mine.selector: 'fastest' is not known",
        "choose from atomic_energy, disagreement, entropy_gain, ",
    ),
    "temperature outside every density fit": (
        STUDY,
        {"simulations/npt_1200K/temperature_K": 2000},
        "simulations.npt_1200K.temperature_K: 2000 K is outside every density fit of KCl (Janz",
        "change it or give density_g_cm3 as a number",
    ),
    "half a formula unit in the pool": (
        STUDY,
        {"pool/ions": 33},
        "pool.ions: 33 ions do not make whole formula units of KCl",
        "use 32 or 34",
    ),
    "half a formula unit at constant volume": (
        STUDY,
        {"simulations/nvt_1200K/ions": 33},
        "simulations.nvt_1200K.ions: 33 ions do not make whole formula units of KCl",
        "use 32 or 34",
    ),
    "unknown labeler": (
        STUDY,
        {"labels/labeler": "vasp"},
        "labels.labeler: 'vasp' is not known",
        "choose from cp2k, potential",
    ),
    "simulation of an unknown size": (
        STUDY,
        {"simulations/nvt_1200K/sizes": [8, 16]},
        "simulations.nvt_1200K.sizes: 16 is not among",
        "the study's sizes (8)",
    ),
    "simulation of an unknown selector": (
        STUDY,
        {"simulations/nvt_1200K/selectors": ["fps"]},
        "simulations.nvt_1200K.selectors: fps is not among",
        "the study's selectors (rnd, random)",
    ),
    "simulation too short for its transport": (
        STUDY,
        {"simulations/nvt_1200K/duration_ps": 4},
        "simulations.nvt_1200K.duration_ps: 4 ps is less than ten times transport.start_ps",
        "run at least 5 ps",
    ),
    "frames closer than a time step": (
        STUDY,
        {"pool/duration_ps": 0.3},
        "pool.frames: 200 frames in 0.3 ps are closer than one time step",
        "lengthen pool.duration_ps",
    ),
    "frames between time steps": (
        STUDY,
        {"pool/frames": 300},
        "pool.frames: 300 frames in 20 ps are 33.33 time steps apart",
        "must be a whole number; 20.4 ps would do",
    ),
    "key of a grid for a ramp": (
        STUDY,
        {"pool/temperatures_K": [1100, 1700]},
        "pool.temperatures_K: ",
        "a key of npt_grid, not of npt_ramp",
    ),
    "key of a ramp for a grid": (
        STUDY,
        {"pool": GRID | {"pressure_bar": 1}},
        "pool.pressure_bar: ",
        "a key of npt_ramp, not of npt_grid",
    ),
    "ramp without its pressure": (
        STUDY,
        {"pool/pressure_bar": None},
        "pool: missing key pressure_bar",
        "npt_ramp needs it",
    ),
    "grid without temperatures and pressures": (
        STUDY,
        {"pool": {k: v for k, v in GRID.items() if not k.endswith(("_K", "_bar"))}},
        "pool: missing key temperatures_K, pressures_bar",
        "npt_grid needs them",
    ),
    "size larger than a grid's pool": (
        STUDY,
        {"pool": GRID, "sizes": [8, 221]},
        "sizes: 221 frames cannot be selected from 220 (pool.frames of 6 runs less test",
        "raise pool.frames",
    ),
    "observable that the ensemble does not allow": (
        STUDY,
        {"simulations/npt_1200K/observables": ["rdf"]},
        "simulations.npt_1200K.observables: rdf needs a run in nve or nvt, and this one is in npt",
        "take rdf away, or the whole key for all that npt allows",
    ),
    "observable of no trajectory": (
        STUDY,
        {"simulations/nvt_1200K/observables": ["errors"]},
        "simulations.nvt_1200K.observables.0: 'errors' is not known",
        "choose from density, mdsuite, rdf, transport",
    ),
    "member that no model has": (
        STUDY,
        {"models/small/members": 3, "simulations/nvt_1200K/members": [1, 4]},
        "simulations.nvt_1200K.members: 4 is more than the members of any model (3)",
        "raise `members` of a model",
    ),
    "committee of one": (
        STUDY,
        {"sizes": [8, 16], "selectors/disagreement": {"model": "small"}},
        "selectors.disagreement.model: small has one member",
        "set models.small.members to 2 or more",
    ),
    "committee of an unknown model": (
        STUDY,
        {"sizes": [8, 16], "selectors/disagreement": {"model": "large"}},
        "selectors.disagreement.model: large is not among the study's models (small)",
        "(small)",
    ),
    "committee that chooses the first size": (
        STUDY,
        {
            "sizes": [8, 16],
            "models/small/members": 2,
            "selectors/later": {
                "selector": "disagreement",
                "model": "small",
                "first": "disagreement",
            },
        },
        "selectors.later.first: disagreement cannot choose the first size",
        "choose from atomic_energy, entropy_gain, force, fps, ",
    ),
    "committee with one size": (
        STUDY,
        {"models/small/members": 2, "selectors/disagreement": {"model": "small"}},
        "selectors.disagreement.first: the only size, 8, would all be chosen by random",
        "give a second one in `sizes`",
    ),
    "committee without a model": (
        STUDY,
        {"selectors/disagreement": {}},
        "selectors.disagreement: missing key model",
        "disagreement needs it",
    ),
    "temperature given twice": (
        STUDY,
        {"pool": GRID | {"temperatures_K": [1300, 1300.0]}},
        "pool.temperatures_K: ",
        "non-unique",
    ),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_a_mistake_gives_one_line_with_file_key_and_remedy(case, config):
    file, changes, key, remedy = MISTAKES[case]
    alter(config, file, changes)
    lines = mistakes(config)
    assert len(lines) == 1
    assert lines[0].startswith(f"{config / file}: {key}")
    assert remedy in lines[0]
