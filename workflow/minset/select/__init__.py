"""Selectors: which frames are worth labelling.

A selector is ``select(candidates, n, seed, options) -> DataFrame`` with columns ``pick``, ``frame``
and ``score``, in the order of the picks; a new one is one module with such a function and one line
here. Names are resolved with ``pkgutil.resolve_name`` so that knowing them does not import torch.
"""

SELECTORS = {
    "atomic_energy": "minset.select.uniform:select_atomic_energy",
    "entropy_gain": "minset.select.entropy_gain:select_entropy_gain",
    "force": "minset.select.uniform:select_force",
    "fps": "minset.select.fps:select_fps",
    "global_energy": "minset.select.uniform:select_global_energy",
    "random": "minset.select.random:select_random",
    "rnd": "minset.select.rnd:select_rnd",
    "single_run_random": "minset.select.random:select_single_run_random",
}


def looks_at_atoms(name: str, options: dict) -> bool:
    """Whether a study's selector needs descriptors of atoms: ``rnd`` does unless told otherwise."""
    return options.get("selector", name) == "rnd" and options.get("atoms", True)
