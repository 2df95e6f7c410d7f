"""Mistakes of certificates, and of selectors that take their frames."""

from minset.config.registries import registry

_CHOICES = ("sizes", "selectors", "seeds", "models", "members")


def certificate_mistakes(study: dict, name: str) -> list[str]:
    """Mistakes of the certificate of a simulation, each beginning with its key."""
    simulation = study["simulations"][name]
    certificate = simulation.get("certificate")
    if certificate is None:
        return []
    mistakes = []
    if simulation["ensemble"] == "nve":
        mistakes.append(
            "certificate: needs a constant temperature, and this run is in nve; take nvt or npt"
        )
    if empty := [key for key in _CHOICES if simulation.get(key) == []]:
        mistakes.append(
            f"certificate: only trained models are certified, and none runs this simulation; {empty[0]} "
            "is empty, take it away for all"
        )
    samples = int(simulation["duration_ps"] / simulation["sample_ps"])
    if certificate["frames"] > samples:
        mistakes.append(
            f"certificate.frames: {certificate['frames']} frames of a run with {samples} samples "
            "(duration_ps / sample_ps); run longer, or label fewer"
        )
    if certificate["effective_frames"] > certificate["frames"]:
        mistakes.append(
            f"certificate.effective_frames: {certificate['effective_frames']:g} can never be reached "
            f"with {certificate['frames']} frames; raise certificate.frames"
        )
    labeler = registry("labelers")[study["labels"]["labeler"]]
    if labeler.needs_labels:
        mistakes.append(
            f"certificate: labels.labeler {labeler.name} takes labels that frames come with, and those "
            "of a simulation have none; take a labeler that computes them, or take certificate away"
        )
    return mistakes


def certificate_selector_mistakes(study: dict, options: dict) -> list[str]:
    """Of a selector that takes frames of certificates: simulations that are not run when it needs them.

    Parameters
    ----------
    options
        Of the selector, with its ``name`` in the study.
    """
    name, where = options["simulation"], f"simulations.{options['simulation']}"
    simulation = study["simulations"].get(name)
    if simulation is None:
        known = ", ".join(study["simulations"]) or "none"
        return [f"simulation: {name} is not among the study's simulations ({known})"]
    if "certificate" not in simulation:
        return [f"simulation: {name} has no certificate; give {where} the key `certificate`"]
    more = study["more_seeds"]
    of_selector = options["name"] in more.get("selectors", [options["name"]])
    # of a seed that repeats one size alone, `first` picks all frames
    seeds = study["seeds"] + (more["seeds"] if of_selector and len(more["sizes"]) > 1 else [])
    needed = {
        "sizes": sorted(study["sizes"])[:-1],
        "selectors": [options["name"]],
        "seeds": seeds,
        "models": [options["model"]],
        "members": [1],
    }
    return [
        f"simulation: the frames of {key[:-1]} {value} are from {name}, which does not run for it; add "
        f"{value} to {where}.{key}"
        for key, values in needed.items()
        for value in values
        if value not in simulation.get(key, [value])
    ]
