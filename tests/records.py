"""Registries for tests of minset.config: small records, each with what one rule of the schemas needs."""

from types import SimpleNamespace

import pytest

from minset.config import registries

NUMBER, COUNT = {"type": "number", "exclusiveMinimum": 0}, {"type": "integer", "minimum": 1}
SIZE = {"enum": ["small", "medium", "large"]}
PAIR = {
    "type": "object",
    "additionalProperties": False,
    "required": ["A_eV", "rho_A", "sigma_A", "C_eV_A6", "D_eV_A8"],
    "properties": dict.fromkeys(("A_eV", "rho_A", "sigma_A"), NUMBER)
    | {key: {"type": "number", "minimum": 0} for key in ("C_eV_A6", "D_eV_A8")},
}
OF_RUNS = {
    "ions": {"type": "integer", "minimum": 2, "maximum": 1000000},
    "timestep_fs": {"type": "number", "minimum": 0.001, "maximum": 100, "default": 2.0},
    "equilibration_ps": NUMBER | {"default": 20.0},
    "duration_ps": NUMBER,
    "frames": {"type": "integer", "minimum": 8},
    "seed": COUNT | {"maximum": 2**31 - 1},
    "potential": {"type": "string"},
    "density_g_cm3": NUMBER,
}
NEEDED = ("ions", "duration_ps", "frames", "seed")
LIST = {"type": "array", "minItems": 1, "uniqueItems": True}


def entry(options, required=(), **rest):
    return SimpleNamespace(options=options, required=required, **rest)


def nothing_amiss(*_):
    return []


def ramp(pool):
    return [{"name": "ramp", "temperature_K": pool["temperature_K"], "frames": pool["frames"]}]


def grid(pool):
    return [
        {"name": f"T{t:g}-P{p:g}", "temperature_K": [t, t], "frames": pool["frames"]}
        for t in pool["temperatures_K"]
        for p in pool["pressures_bar"]
    ]


def pair_mistakes(value, species):
    names = [f"{a}-{b}" for k, a in enumerate(species) for b in species[k:]]
    there = {frozenset(name.split("-")) for name in value["pairs"]}
    missing = [name for name in names if frozenset(name.split("-")) not in there]
    return [f"pairs: parameters of {name} are missing" for name in missing]


def kinds_mistakes(system, settings):
    kinds = system.get("cp2k", {}).get("kinds", {})
    return [
        f"labels.labeler: cp2k needs cp2k.kinds.{s}" for s in system["species"] if s not in kinds
    ]


def range_mistakes(settings, simulation, edge_A):
    if edge_A is None or settings["range_A"] <= edge_A / 2:
        return []
    return [
        f"ions: {simulation['ions']} ions make a cell of {edge_A:.2f} A; use more ions or a range of "
        f"at most {edge_A / 2:.2f} A"
    ]


def lag_mistakes(settings, simulation, edge_A):
    least = 10 * settings["start_ps"]
    if simulation["duration_ps"] >= least:
        return []
    return [
        f"duration_ps: {simulation['duration_ps']:g} ps is less than ten times transport.start_ps; "
        f"run at least {least:g} ps"
    ]


def observable(options, ensembles, mistakes=lambda *_: [], needs=lambda _: "", options_of=()):
    return SimpleNamespace(
        of="trajectory",
        options=options,
        ensembles=ensembles,
        mistakes=mistakes,
        needs=needs,
        options_of=options_of,
    )


def charges(system):
    given = any(s.get("charge") for s in system["species"].values())
    return "" if given else "no species has a charge"


FIXED = ("nve", "nvt")
RECORDS = {
    "generators": {
        "npt_ramp": entry(
            OF_RUNS
            | {"temperature_K": LIST | {"items": NUMBER}, "pressure_bar": {"type": "number"}},
            ("temperature_K", "pressure_bar", *NEEDED),
            plan=ramp,
            mistakes=nothing_amiss,
        ),
        "npt_grid": entry(
            OF_RUNS
            | {
                "temperatures_K": LIST | {"items": NUMBER},
                "pressures_bar": LIST | {"items": {"type": "number"}},
            },
            ("temperatures_K", "pressures_bar", *NEEDED),
            plan=grid,
            mistakes=nothing_amiss,
        ),
    },
    "descriptors": {
        "schnet": SimpleNamespace(
            options={
                "size": SIZE | {"default": "medium"},
                "cutoff_A": NUMBER | {"default": 6.0},
                "seed": COUNT | {"default": 1},
            },
            mistakes=nothing_amiss,
        )
    },
    "selectors": {
        **{
            name: entry({}, needs=lambda options: set(), mistakes=lambda *_: [])
            for name in ("random", "single_run_random", "global_energy", "atomic_energy", "force")
        },
        "fps": entry({}, needs=lambda options: {"frames"}, mistakes=lambda *_: []),
        "rnd": entry(
            {
                "atoms": {"type": "boolean", "default": True},
                "hidden": {"type": "array", "items": COUNT, "default": [64, 64]},
                "max_steps": COUNT | {"default": 200},
                "metric": {"enum": ["euclidean", "cosine"], "default": "euclidean"},
                "picks_per_training": COUNT | {"default": 1},
            },
            needs=lambda options: {"atoms" if options["atoms"] else "frames"},
            mistakes=lambda *_: [],
        ),
        "entropy_gain": entry(
            {"neighbours": COUNT | {"default": 32}},
            needs=lambda options: set(),
            mistakes=lambda *_: [],
        ),
        "disagreement": entry(
            {"model": {"type": "string"}, "first": {"type": "string", "default": "random"}},
            ("model",),
            needs=lambda options: {"models"},
            mistakes=lambda *_: [],
        ),
    },
    "labelers": {
        "potential": entry(
            {"potential": {"type": "string"}}, mistakes=lambda *_: [], needs_labels=False
        ),
        "cp2k": entry(
            {
                "dispersion": {"enum": ["none", "d3", "rvv10"]},
                "cutoff_Ry": {"type": "number", "minimum": 100},
                "rel_cutoff_Ry": {"type": "number", "minimum": 20},
                "eps_default": NUMBER,
                "eps_scf": NUMBER,
                "command": {"type": "string", "pattern": r"^[^\x00-\x1f\x7f]+$"},
            },
            mistakes=kinds_mistakes,
            needs_labels=False,
        ),
    },
    "models": {
        "schnet": entry(
            {
                "size": SIZE,
                "cutoff_A": NUMBER | {"default": 6.0},
                "gaussians": COUNT,
                "repulsion": {"enum": ["none", "zbl"], "default": "zbl"},
            },
            ("size",),
            training={
                "batch_size": COUNT | {"default": 4},
                "energy_weight": {"type": "number", "minimum": 0, "default": 1.0},
                "force_weight": {"type": "number", "minimum": 0, "default": 1.0},
                "learning_rate": NUMBER | {"default": 5.0e-4},
                "max_epochs": COUNT | {"default": 2000},
                "patience": COUNT | {"default": 200},
                "stress_weight": {"type": "number", "minimum": 0, "default": 0.0},
            },
        ),
        "gap": entry(
            {
                "atom_sigma_A": NUMBER | {"default": 0.825},
                "cutoff_A": NUMBER | {"default": 6.5},
                "zeta": COUNT | {"default": 4},
                "repulsion": {"enum": ["none", "zbl"], "default": "zbl"},
            },
            training={"sparse_points": COUNT | {"default": 500}},
        ),
    },
    "potentials": {
        "tosi_fumi": entry(
            {
                "pairs": {
                    "type": "object",
                    "propertyNames": {"type": "string", "pattern": "^[A-Z][a-z]?-[A-Z][a-z]?$"},
                    "additionalProperties": PAIR,
                },
                "published_sign": {"type": "boolean", "default": False},
            },
            ("pairs",),
            needs_charges=True,
            whole=True,
            files=lambda value: [],
            completed=lambda value, system: value,
            mistakes=pair_mistakes,
        ),
        "coulomb": entry(
            {"eps_inf": NUMBER | {"default": 1.0}},
            needs_charges=True,
            whole=False,
            files=lambda value: [],
            completed=lambda value, system: value,
            mistakes=lambda value, species: [],
        ),
        "eam": entry(
            {"file": {"type": "string"}, "sha256": {"type": "string"}},
            ("file",),
            needs_charges=False,
            whole=True,
            files=lambda value: [value["file"]],
            completed=lambda value, system: value,
            mistakes=lambda value, species: [],
        ),
    },
    "observables": {
        "density": observable({}, ("npt",)),
        "rdf": observable(
            {
                "range_A": NUMBER | {"default": 8.0},
                "bins": {"type": "integer", "minimum": 10, "default": 160},
            },
            FIXED,
            range_mistakes,
        ),
        "transport": observable(
            {"start_ps": NUMBER | {"default": 2.0}}, FIXED, lag_mistakes, charges
        ),
        "mdsuite": observable({}, FIXED, options_of=("rdf", "transport")),
        "errors": SimpleNamespace(of="model", options={}),
    },
}


@pytest.fixture
def small_registries(monkeypatch):
    """The records of this file in the place of all registries."""
    names = {where: name for name, where in registries.WHERE.items()}
    monkeypatch.setattr(registries, "resolve_name", lambda where: RECORDS[names[where]])
