"""Generator ``entropy``: configurations with diverse environments, without any potential.

Karabin and Perez, J. Chem. Phys. 153, 094110 (2020): annealing in an effective energy that rewards the
entropy of the descriptors of the atoms in the cell and keeps them apart.
"""

import math
from pathlib import Path

from minset.descriptor.bispectrum import CHOICE
from minset.descriptor.bispectrum import mistakes as of_components
from minset.pool.plan import OF_EACH_RUN, SEED, seed_of
from minset.pool.record import Generator, Sampled
from minset.system import composition, covalent_contact_A, mass_of, pair_names, species_of
from minset.units import volume_A3

CLOSE_PACKED = 0.74  # of the volume, by spheres of one size
CUTOFF_OVER_CONTACT = 1.48
_POSITIVE = {"type": "number", "exclusiveMinimum": 0}
_POSITIVES = {"type": "array", "minItems": 1, "uniqueItems": True, "items": _POSITIVE}

# options of the pool that every run takes as they are
OF_EACH_CYCLE = CHOICE | {
    "ions": OF_EACH_RUN["ions"] | {"maximum": 1000},
    "frames": {
        "type": "integer",
        "minimum": 1,
        "description": "Of each run: its annealing cycles, each of which gives one, or none where atoms "
        "came too close",
    },
    "cell_shape": {
        "type": "array",
        "minItems": 3,
        "maxItems": 3,
        "items": _POSITIVE,
        "default": [1.0, 1.0, 1.0],
        "description": "Edges of the cell relative to one another",
    },
    "radii_A": {
        "type": "object",
        "additionalProperties": _POSITIVE,
        "default": {},
        "description": "Of the elements; ionic radii suit salts. The covalent radius (Cordero et al., "
        "2008) of those that are not named",
    },
    "contact_share": _POSITIVE
    | {
        "default": 0.833,
        "description": "Share of the sum of two radii within which the repulsion acts (r0): the paper's "
        "2.7 A of tungsten, whose covalent radius is 1.62 A",
    },
    "contacts_A": {
        "type": "object",
        "additionalProperties": _POSITIVE,
        "default": {},
        "description": "r0 of some pairs like Na-Cl instead",
    },
    "repulsion_eV": _POSITIVE | {"default": 1.0, "description": "E0 of the repulsion, the paper's"},
    "cutoff_A": _POSITIVE
    | {
        "description": "Where neighbours cease to count; 1.48 of the largest r0 when absent. The paper "
        "does not say; with 4.0 A for tungsten the distances within its unbiased set are the paper's",
    },
    "scale": {
        "enum": ["unbiased", "none"],
        "default": "unbiased",
        "description": "What components are divided by before distances are taken: their standard "
        "deviations in unbiased configurations of the same density, or nothing. The paper does so "
        "when it measures sets, and does not say of the bias",
    },
    "epsilon": _POSITIVE
    | {
        "default": 1e-4,
        "description": "Added to squared distances of scaled components: atoms without neighbours are "
        "all alike, and the logarithm of zero is not finite; 1e-4 is a hundredth of a standard "
        "deviation, a tenth of what unbiased neighbours have",
    },
    "shuffle_K": _POSITIVE
    | {"default": 10000.0, "description": "Temperature of the unbiased dynamics, the paper's"},
    "shuffle_ps": _POSITIVE
    | {
        "default": 1.0,
        "description": "From random places without bias, at the start of each cycle: an atom then moves "
        "farther than its neighbours are",
    },
    "ramp_ps": _POSITIVE
    | {
        "default": 1.0,
        "description": "While the temperature goes to 0 and K to its value; the paper does not say. "
        "Longer ramps give a larger entropy",
    },
    "timestep_fs": _POSITIVE
    | {"default": 0.5, "description": "At K = 1000 eV longer ones are not stable"},
    "friction_inverse_ps": _POSITIVE
    | {
        "default": 50.0,
        "description": "Of the Langevin thermostat: within the ramp it takes away what the growing bias "
        "gives",
    },
    "mass_u": _POSITIVE
    | {
        "default": 183.84,
        "description": "Of all atoms alike, tungsten's: sampling depends on no mass, and one time step "
        "serves all elements",
    },
    "closest_share": {
        "type": "number",
        "minimum": 0,
        "exclusiveMaximum": 1,
        "default": 0.6,
        "description": "A frame with two atoms closer than this share of their r0 is refused; so does "
        "one too large a K",
    },
}
OPTIONS = OF_EACH_CYCLE | {
    "K_eV": {
        "type": "array",
        "minItems": 1,
        "uniqueItems": True,
        "items": {"type": "number", "minimum": 0},
        "default": [1000.0],
        "description": "Weights of the entropy, each with every density; 1000 is the paper's. With 0 "
        "frames are of the unbiased dynamics, not cooled",
    },
    "densities_g_cm3": _POSITIVES
    | {
        "description": "Of cells; half of the crystal's in the paper, so that there is room for voids"
    },
    "runs": {
        "type": "integer",
        "minimum": 1,
        "default": 1,
        "description": "With every K and density, jobs of their own",
    },
    "seed": SEED,
}


def plan(settings: dict) -> list[dict]:
    """Runs at every K and density.

    Names and seeds of the runs depend on their own K, density and number, so a pool that grows keeps
    the runs that it has.

    Parameters
    ----------
    settings
        Of the pool, see ``RECORD``.

    Returns
    -------
    list of dict
        ``name``, ``seed``, ``K_eV``, ``density_g_cm3`` and the options of cycles.
    """
    common = {key: settings[key] for key in OF_EACH_CYCLE if key in settings}
    runs = []
    for K in settings["K_eV"]:
        for density in settings["densities_g_cm3"]:
            for number in range(1, settings["runs"] + 1):
                name = f"K{K:.12g}-{density:.12g}gcm3-{number}"
                own = {"name": name, "seed": seed_of(settings["seed"], name)}
                runs.append(own | {"K_eV": K, "density_g_cm3": density} | common)
    return runs


def contacts_of(settings: dict, species: list[str]) -> dict[str, float]:
    """r0 in A of all pairs of species, by names like ``Na-Cl`` in the order of the species."""
    radius = {s: settings["radii_A"].get(s, covalent_contact_A(s, s) / 2) for s in species}
    contacts = {}
    for name in pair_names(species):
        a, b = name.split("-")
        given = settings["contacts_A"]
        usual = settings["contact_share"] * (radius[a] + radius[b])
        contacts[name] = given.get(name, given.get(f"{b}-{a}", usual))
    return contacts


def cutoff_of(settings: dict, contacts: dict[str, float]) -> float:
    """Cutoff of the bispectrum in A."""
    return settings.get("cutoff_A", CUTOFF_OVER_CONTACT * max(contacts.values()))


def edges_of(settings: dict, volume: float) -> list[float]:
    """Edges in A of a cell of a volume in A^3."""
    shape = settings["cell_shape"]
    unit = (volume / math.prod(shape)) ** (1 / 3)
    return [edge * unit for edge in shape]


def mistakes(settings: dict, system: dict) -> list[str]:
    """What is wrong with the options in view of a system: names, and cells without room.

    Each begins with its key.
    """
    species = species_of(system)
    found = [
        f"{key}.{symbol}: the system has no {symbol}, it has {', '.join(species)}"
        for key in ("radii_A", "weights")
        for symbol in settings[key]
        if symbol not in species
    ]
    pairs = {frozenset(name.split("-")) for name in pair_names(species)}
    found += [
        f"contacts_A.{name}: no pair of {', '.join(species)}"
        for name in settings["contacts_A"]
        if name.count("-") != 1 or frozenset(name.split("-")) not in pairs
    ]
    found += of_components(settings)
    try:
        symbols = composition(system, settings["ions"])
    except ValueError:  # which is said of every pool
        return found
    if found:
        return found
    contacts = contacts_of(settings, species)
    cutoff = cutoff_of(settings, contacts)
    spheres = sum(math.pi / 6 * contacts[f"{s}-{s}"] ** 3 for s in symbols)
    for density in settings["densities_g_cm3"]:
        volume = volume_A3(mass_of(system, symbols), density)
        shortest = min(edges_of(settings, volume))
        if spheres > CLOSE_PACKED * volume:
            found.append(
                f"densities_g_cm3: {density:g} g/cm^3 leaves no room: spheres as large as the repulsion "
                f"fill {spheres / volume:.0%} of it, {CLOSE_PACKED:.0%} are possible; at most "
                f"{density * CLOSE_PACKED * volume / spheres:.3g} g/cm^3, or smaller radii_A"
            )
        elif shortest < 2 * cutoff:
            least = math.ceil(len(symbols) * (2 * cutoff / shortest) ** 3)
            found.append(
                f"ions: at {density:g} g/cm^3 the cell is {shortest:.2f} A wide, less than 2 cutoffs of "
                f"{cutoff:.2f} A; take at least {least}, or a smaller cutoff_A"
            )
    return found


def sample(system: dict, run: dict, work: Path) -> Sampled:
    """Frames of a run, see ``minset.pool.entropy_cycles.run_cycles``."""
    from minset.pool.entropy_cycles import run_cycles

    return run_cycles(system, run, work)


def seconds(run: dict, atoms: float) -> float:
    """Of one core, for all frames of a run: 0.2 s for a cycle of 39 atoms with 2000 steps."""
    steps = (run["ramp_ps"] if run["K_eV"] else 0.1) * 1000 / run["timestep_fs"]
    return atoms * steps * 2.5e-6 * max(1.0, run["ions"] / 100)


RECORD = Generator(
    options=OPTIONS,
    required=("ions", "frames", "densities_g_cm3", "seed"),
    plan=plan,
    sample=sample,
    advice="Lower pool.K_eV, which pulls atoms together, or pool.closest_share, or shorten "
    "pool.timestep_fs",
    mistakes=mistakes,
    seconds=seconds,
)
