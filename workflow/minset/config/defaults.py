"""Defaults that no schema can know: masses, hashes of files, and what a study takes from its systems."""

from ase.data import atomic_masses, atomic_numbers

from minset.config.registries import registry
from minset.potential.files import hash_of


def fill_masses(system: dict) -> None:
    """Give each known element without ``mass_u`` its standard atomic weight in u, from ASE."""
    for symbol, species in system["species"].items():
        if number := atomic_numbers.get(symbol):
            species.setdefault("mass_u", float(atomic_masses[number]))


def fill_hashes(system: dict) -> list[str]:
    """Give each potential that reads files their ``sha256``, so that other content is another potential.

    Returns
    -------
    list of str
        A line for each file that cannot be read, and for each hash in the system file that is another.
    """
    mistakes = []
    for name, value in system["potentials"].items():
        try:
            files = registry("potentials")[value["potential"]].files(value)
            sha256 = hash_of(files)
        except OSError as error:
            mistakes.append(f"potentials.{name}: {error}")
            continue
        if not files:
            continue
        if value.setdefault("sha256", sha256) != sha256:
            mistakes.append(
                f"potentials.{name}.sha256: the hash of {', '.join(files)} is {sha256}; restore the "
                "file, or take the key away to compute with this one"
            )
    return mistakes


def fill_potentials(system: dict) -> list[str]:
    """Complete each potential by what the rest of the system file decides, like a mixture's pairs.

    Returns
    -------
    list of str
        A line for each potential for which that cannot be.
    """
    mistakes = []
    for name, value in system["potentials"].items():
        try:
            record = registry("potentials")[value["potential"]]
            system["potentials"][name] = record.completed(value, system)
        except ValueError as error:
            mistakes.append(f"potentials.{name}.{error}")
    return mistakes


def fill_potential_of_pool(pool: dict, system: dict) -> None:
    """Give a pool that needs a potential the first one, by name, of the study's first system."""
    if generator_needs_potential(pool) and (first := _first_potential(system)):
        pool.setdefault("potential", first)


def _first_potential(system: dict) -> str | None:
    """First potential of a system, by name, with which MD can run; or None."""
    potentials = system["potentials"].items()
    whole = [name for name, v in potentials if registry("potentials")[v["potential"]].whole]
    return min(whole, default=None)


def fill_from_systems(study: dict, systems: dict[str, dict]) -> None:
    """Put what a study may leave to its systems, once its pool is complete.

    The labeler's potential is the pool's, and so is the reference's; without one there, the first one
    of the first system by name, so that the order in its file means nothing. Simulations start from
    a melt of the pool's potential, or else from the pool. Their observables are all that their
    ensemble and a system allow.
    """
    first = next(iter(systems.values()))
    usual = study["pool"].get("potential", _first_potential(first))
    labels = study["labels"]
    if usual and "potential" in registry("labelers")[labels["labeler"]].options:
        labels["settings"].setdefault("potential", usual)
    study.setdefault("reference", [usual] if usual else [])
    for simulation in study["simulations"].values():
        simulation.setdefault("start", "melt" if "potential" in study["pool"] else "pool")
        usual_density = "experiment" if simulation["start"] == "melt" else "pool"
        simulation.setdefault("density_g_cm3", usual_density)
        simulation.setdefault("observables", _observables_in(simulation["ensemble"], systems))


def generator_needs_potential(pool: dict) -> bool:
    """Whether a pool's frames come from a potential."""
    return "potential" in registry("generators")[pool["generator"]].options


def needs_of_observable(name: str, systems: dict[str, dict]) -> str:
    """Why an observable can be computed for none of some systems; empty if it can for one."""
    reasons = [registry("observables")[name].needs(system) for system in systems.values()]
    return reasons[0] if all(reasons) else ""


def _observables_in(ensemble: str, systems: dict[str, dict]) -> list[str]:
    records = registry("observables").items()
    able = [k for k, r in records if r.of == "trajectory" and ensemble in r.ensembles]
    return [name for name in able if not needs_of_observable(name, systems)]
