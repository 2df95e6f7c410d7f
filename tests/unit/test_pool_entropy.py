"""Generator ``entropy``: its energy and forces, its estimate of the entropy, and its runs."""

import math
import re

import numpy as np
import pytest
from studies import alter, mistakes

from minset.descriptor.bispectrum_tables import tables_of
from minset.pool import GENERATORS
from minset.pool.entropy import contacts_of, plan
from minset.pool.entropy_cycles import CYCLES, run_cycles
from minset.pool.entropy_kernels import (
    Energy,
    anneal,
    energy_and_forces,
    entropy,
    work_for,
)
from minset.pool.record import NoFrames
from minset.pool.store import read_frames, summary, write_pool
from minset.registry import defaults_of
from minset.select.split import finite_frames

RECORD = GENERATORS["entropy"]
W = {"species": {"W": {"count": 1, "mass_u": 183.84}}}
NACL = {
    "species": {
        "Na": {"charge": 1.0, "count": 1, "mass_u": 22.99},
        "Cl": {"charge": -1.0, "count": 1, "mass_u": 35.45},
    }
}
# short and coarse
QUICK = {"ions": 16, "frames": 3, "seed": 1, "densities_g_cm3": [4.0], "cutoff_A": 3.9}
QUICK |= {"shuffle_ps": 0.2, "ramp_ps": 0.1}


def settings_of(**given) -> dict:
    return defaults_of(RECORD.options) | QUICK | given


def entropy_of(q, epsilon=1e-12) -> float:
    return entropy(q, np.ones(q.shape[1]), epsilon, np.empty_like(q))


def test_entropy_of_a_grid_is_the_logarithm_of_its_spacing():
    grid = np.stack(np.meshgrid(*[np.arange(4.0) * 0.25] * 2), axis=-1).reshape(-1, 2)
    assert entropy_of(grid) == pytest.approx(math.log(16 * 0.25))
    assert entropy_of(3 * grid) == pytest.approx(math.log(16 * 0.75))


def test_entropy_follows_that_of_a_normal_distribution():
    """Kozachenko and Leonenko: m <ln d> + ln V_m + ln(n - 1) + gamma is the differential entropy."""
    n, m = 3000, 3
    q = np.random.default_rng(1).normal(size=(n, m)) * [1.0, 2.0, 0.5]
    mean_log = entropy_of(q) - math.log(n)
    ball = math.pi ** (m / 2) / math.gamma(m / 2 + 1)
    estimate = m * mean_log + math.log(ball) + math.log(n - 1) + np.euler_gamma
    exact = 0.5 * m * math.log(2 * math.pi * math.e)
    assert estimate == pytest.approx(exact, abs=0.08)


def energy_of(n: int, edge: float, **changes) -> Energy:
    energy = Energy(
        edges=np.array([edge, edge, 1.2 * edge]),
        species=np.arange(n) % 2,
        contacts=np.array([[2.0, 2.4], [2.4, 3.0]]),
        strength=1.0,
        weights=1.0 + 0.5 * (np.arange(n) % 2),
        cutoff=4.0,
        scale=np.linspace(5, 10, 6),
        epsilon=1e-4,
        tables=tables_of(3, 6),
    )
    return energy._replace(**changes)


def value_and_forces(x, K, energy):
    forces = np.empty_like(x)
    return *energy_and_forces(x, K, energy, work_for(len(x), energy.tables), forces), forces


def test_the_repulsion_is_that_of_the_paper():
    """Eq. 4, both orders of a pair, cut and shifted to zero at r0."""
    energy = energy_of(2, 12.0, species=np.zeros(2, np.int64))
    for r in (1.2, 1.7, 1.99, 2.5):
        E, _, closest, _ = value_and_forces(np.array([[0, 0, 0], [0, r, 0.0]]), -1.0, energy)
        paper = 1 / 4 * (4 * (2.0 / r) ** 8 - 8 * (2.0 / r) ** 4)
        shift = 1 / 4 * (4 - 8)
        assert E == pytest.approx(2 * max(0.0, paper - shift) if r < 2.0 else 0.0)
        assert closest == pytest.approx(r / 2.0 if r < 2.0 else np.inf)


@pytest.mark.parametrize("K", [-1.0, 0.0, 50.0])
def test_forces_are_derivatives_of_the_energy(K):
    energy = energy_of(14, 8.2)
    x = np.random.default_rng(3).random((14, 3)) * energy.edges * 1.3  # some are outside the cell
    *_, forces = value_and_forces(x, K, energy)
    assert np.allclose(forces.sum(axis=0), 0, atol=1e-6 * np.abs(forces).max())
    for atom, axis in ((0, 0), (5, 1), (11, 2)):
        moved, step = x.copy(), 1e-6
        moved[atom, axis] += step
        up = value_and_forces(moved, K, energy)[0]
        moved[atom, axis] -= 2 * step
        slope = (up - value_and_forces(moved, K, energy)[0]) / (2 * step)
        assert forces[atom, axis] == pytest.approx(-slope, rel=1e-5, abs=1e-5)


def test_atoms_without_neighbours_are_alike_and_their_entropy_is_finite():
    energy = energy_of(3, 30.0, species=np.zeros(3, np.int64))
    x = np.array([[0, 0, 0], [10, 0, 0], [0, 10, 0.0]])
    _, S, _, forces = value_and_forces(x, 100.0, energy)
    assert math.log(3 * 1e-2) == pytest.approx(S)
    assert (forces == 0).all()


def test_the_thermostat_holds_its_temperature():
    """Atoms that feel nothing: the mean kinetic energy is 3/2 kT."""
    energy = energy_of(200, 300.0, contacts=np.full((2, 2), 1e-3))
    x = np.random.default_rng(0).random((200, 3)) * energy.edges
    v = np.zeros_like(x)
    rng, work, forces = np.random.default_rng(1), work_for(200, energy.tables), np.empty_like(x)
    hot = np.array([1000.0, 1000.0])
    anneal(x, v, hot, np.zeros(2), 300, 1e-3, 50.0, 100.0, rng, energy, work, forces)
    kinetic_eV = 0.5 * 100.0 * 1.03642697e-4 * (v**2).sum() / 200
    assert kinetic_eV == pytest.approx(1.5 * 8.617333e-5 * 1000, rel=0.12)


def test_the_plan_has_runs_of_each_K_and_density_and_keeps_them_when_it_grows():
    small = plan(settings_of(K_eV=[1000], densities_g_cm3=[9.0], runs=2))
    large = plan(settings_of(K_eV=[0, 1000.0], densities_g_cm3=[9, 4.5], runs=3))
    assert len(large) == 12
    assert [run["name"] for run in small] == ["K1000-9gcm3-1", "K1000-9gcm3-2"]
    assert all(run in large for run in small)


def test_contacts_are_shares_of_radii_or_given():
    settings = settings_of(radii_A={"Na": 1.02}, contacts_A={"Cl-Na": 2.2}, contact_share=0.5)
    contacts = contacts_of(settings, ["Na", "Cl"])
    assert contacts == pytest.approx({"Na-Na": 1.02, "Na-Cl": 2.2, "Cl-Cl": 1.02})


@pytest.fixture(scope="module")
def sampled(tmp_path_factory):
    run = plan(settings_of(K_eV=[300], frames=4))[0]
    return run, run_cycles(W, run, tmp_path_factory.mktemp("cycles"))


def test_the_bias_makes_environments_more_diverse(sampled, tmp_path):
    run, (frames, note) = sampled
    assert len(frames) == 4
    assert note == ""
    unbiased, _ = run_cycles(W, run | {"K_eV": 0}, tmp_path)
    S = [[frame.info["entropy"] for frame in some] for some in (frames, unbiased)]
    assert np.mean(S[0]) > np.mean(S[1]) + 0.5
    for frame in frames:
        mass_g_cm3 = frame.get_masses().sum() * 1.66054 / frame.get_volume()
        assert mass_g_cm3 == pytest.approx(4.0, rel=1e-4)
        distances = frame.get_all_distances(mic=True)[np.triu_indices(16, 1)]
        assert distances.min() > 0.6 * 0.833 * 3.24
        assert (frame.get_scaled_positions(wrap=False) >= 0).all()
        assert frame.pbc.all()


def test_a_killed_run_goes_on_and_a_longer_one_begins_alike(sampled, tmp_path):
    run, (frames, _) = sampled
    run_cycles(W, run | {"frames": 2}, tmp_path)
    with open(tmp_path / CYCLES, "ab") as file:
        file.write(b"half a row")
    again, _ = run_cycles(W, run, tmp_path)
    for frame, other in zip(frames, again, strict=True):
        assert np.array_equal(frame.positions, other.positions)
    another, _ = run_cycles(W, run | {"seed": run["seed"] + 1, "frames": 1}, tmp_path / "..")
    assert not np.allclose(frames[0].positions, another[0].positions)


def test_collapsed_frames_are_refused_and_counted(sampled, tmp_path):
    run, (frames, _) = sampled
    strict = run | {"closest_share": 0.999, "frames": 4}
    with pytest.raises(NoFrames, match=r"4 of 4 frames refused: atoms closer than 0\.999 of"):
        run_cycles(W, strict, tmp_path)
    one = min(frames, key=shortest_over_contact)
    share = shortest_over_contact(one) * 1.0001
    kept, note = run_cycles(W, run | {"closest_share": share}, tmp_path)
    assert len(kept) == 3
    assert note.startswith("1 of 4 frames refused")


def shortest_over_contact(frame) -> float:
    distances = frame.get_all_distances(mic=True)[np.triu_indices(len(frame), 1)]
    return distances.min() / (0.833 * 3.24)


def test_dynamics_that_break_are_refused(tmp_path):
    run = plan(settings_of(K_eV=[3000], timestep_fs=20.0, frames=2))[0]
    with pytest.raises(NoFrames, match="2 of 2 frames refused"):
        run_cycles(W, run, tmp_path)


def test_a_salt_has_its_composition_and_its_frames_pass_as_a_pool(tmp_path):
    """A pool that no potential made has no energies: nothing may ask for them."""
    run = plan(settings_of(ions=24, densities_g_cm3=[1.0], frames=2, radii_A={"Cl": 1.8}))[0]
    frames, _ = run_cycles(NACL, run, tmp_path)
    assert str(frames[0].symbols) == "Na12Cl12"
    write_pool(tmp_path / "pool.h5", frames)
    assert finite_frames(tmp_path / "pool.h5").all()
    again = read_frames(tmp_path / "pool.h5")
    assert again[0].info["K_eV"] == 1000.0
    assert summary(again)["potential_energy_eV_atom"].isna().all()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"densities_g_cm3": [30.0]},
            r"densities_g_cm3: 30 g/cm\^3 leaves no room: .*74% are poss",
        ),
        (
            {"ions": 4},
            "ions: at 4 g/cm.3 the cell is .* less than 2 cutoffs of 3.90 A; take at least",
        ),
        ({"radii_A": {"Fe": 1.0}}, "radii_A.Fe: the system has no Fe, it has W"),
        ({"weights": {"Fe": 1.0}}, "weights.Fe: the system has no Fe, it has W"),
        ({"contacts_A": {"W-Fe": 1.0}}, "contacts_A.W-Fe: no pair of W"),
        ({"components": 9}, "components: with twojmax 3 there are 8"),
    ],
)
def test_what_cannot_be_is_said_before_any_job(given, message):
    (line,) = RECORD.mistakes(settings_of(**given), W)
    assert re.match(message, line), line
    assert RECORD.mistakes(settings_of(), W) == []


def test_a_study_says_what_is_wrong_with_its_pool(config):
    study = "w-entropy-laptop"
    alter(config, f"studies/{study}.yaml", {"pool/densities_g_cm3": [40.0]})
    lines = mistakes(config, study)
    assert any("pool.densities_g_cm3: 40 g/cm^3 leaves no room" in line for line in lines)
