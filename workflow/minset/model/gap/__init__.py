"""Gaussian approximation potentials (GAP) on SOAP descriptors, through QUIP's ``gap_fit`` and quippy.

Bartok, Payne, Kondor and Csanyi, Phys. Rev. Lett. 104, 136403 (2010); SOAP: Bartok, Kondor and
Csanyi, Phys. Rev. B 87, 184115 (2013). The defaults of the kernel are those of "Efficient data selection
methods" (2021), Table 3. quippy is imported when a GAP is used: its licence (ASL) is for academic,
non-commercial work.

A model on disk is ``gap.xml`` (QUIP's own format, sparse points inside; numbers, no code) and
``model.json``.
"""

from pathlib import Path

import numpy as np

from minset.evaluation import Evaluator
from minset.model.record import DESCRIPTION, REPULSION, Model

XML = "gap.xml"

_positive = {"type": "number", "exclusiveMinimum": 0}
OPTIONS = {
    "n_max": {
        "type": "integer",
        "minimum": 1,
        "default": 8,
        "description": "Radial basis functions of SOAP",
    },
    "l_max": {
        "type": "integer",
        "minimum": 0,
        "default": 6,
        "description": "Largest degree of its spherical harmonics",
    },
    "atom_sigma_A": _positive
    | {"default": 0.825, "description": "Width of an atom in its density, in A"},
    "zeta": {
        "type": "integer",
        "minimum": 1,
        "default": 4,
        "description": "Power of the dot product in the kernel",
    },
    "cutoff_A": _positive | {"default": 6.5, "description": "Of environments, in A"},
    "cutoff_transition_width_A": _positive
    | {"default": 0.5, "description": "Over which atoms fade before the cutoff, in A"},
    "delta_eV": _positive
    | {"default": 1.0, "description": "Spread of atomic energies in the prior, in eV"},
    "repulsion": REPULSION,
}
TRAINING = {
    "sparse_points": {
        "type": "integer",
        "minimum": 1,
        "default": 500,
        "description": "Representative environments of each species",
    },
    "energy_sigma_eV_atom": _positive
    | {
        "default": 0.001,
        "description": "Error of the labels beyond the reach of the kernel, in eV/atom",
    },
    "force_sigma_eV_A": _positive | {"default": 0.05, "description": "The same of forces, in eV/A"},
    "virial_sigma_eV_atom": _positive
    | {"description": "The same of virials, in eV/atom; when given, the stress is fitted too"},
}


def _train(*arguments, **named) -> dict:
    from minset.model.gap.fit import train_gap

    return train_gap(*arguments, **named)


def _evaluator(folder: Path, numbers: np.ndarray, threads: int) -> Evaluator:
    from minset.model.gap.evaluator import gap_evaluator, load_gap

    return gap_evaluator(*load_gap(folder), numbers, threads)


def _export(folder: Path, baseline: dict | None, target: Path) -> str:
    from minset.model.gap.export import export_gap

    return export_gap(folder, baseline, target)


def _points(training: dict) -> float:
    """Cost relative to the 500 sparse points with which it was measured."""
    return max(1.0, training["sparse_points"] / 500)


RECORD = Model(
    options=OPTIONS,
    required=(),
    training=TRAINING,
    train=_train,
    evaluator=_evaluator,
    reference=_evaluator,
    export=_export,
    files=(XML, DESCRIPTION),
    history=False,
    gpu=False,
    environment="minset",
    seconds=lambda training, settings, atoms: atoms / 10 * _points(training),
    megabytes=lambda training, settings, atoms: 0.6 * atoms * _points(training),
    seconds_per_atom_call=4e-3,
    reference_seconds_per_atom_call=4e-3,
)
