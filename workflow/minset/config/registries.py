"""Registries whose entries bring options into system and study files."""

from pkgutil import resolve_name

# resolved when asked for: a registry may import from minset.config, and site.yaml needs none of them
WHERE = {
    "descriptors": "minset.descriptor:DESCRIPTORS",
    "generators": "minset.pool:GENERATORS",
    "labelers": "minset.label:LABELERS",
    "models": "minset.model:MODELS",
    "observables": "minset.observe:OBSERVABLES",
    "potentials": "minset.potential:POTENTIALS",
    "selectors": "minset.select:SELECTORS",
}


def registry(name: str) -> dict:
    """Records of a registry by the names of its entries."""
    return resolve_name(WHERE[name])
