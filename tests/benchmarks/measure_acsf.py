"""Time of a force call of atom-centred symmetry functions against torchani's own modules.

    PYTHONPATH=workflow python tests/benchmarks/measure_acsf.py [seconds of each contestant]

FCC nickel with displaced atoms, networks with random weights, one core. Contestants take turns; each
call has other positions. Times are the processor's, so that a busy machine hardly changes them; the
ratios are those of the medians. ``torchani`` searches neighbours by itself, in single precision, in which
it is fastest; ``torchani, pairs given`` is minset's reference: vesin's list and double precision.
"""

import os

# before numpy and torch are imported
os.environ |= {f"{name}_NUM_THREADS": "1" for name in ("OMP", "MKL", "OPENBLAS", "NUMBA")}

import sys
import time
from functools import partial

import numpy as np
import torch
from ase import Atoms
from ase.build import bulk
from measure import interleaved
from measure_md import moving

from minset.model.acsf import OPTIONS
from minset.model.acsf.architecture import build_model, hyper_of
from minset.model.acsf.evaluator import compiled_evaluator, species_of, torchani_evaluator
from minset.registry import defaults_of

CELLS = {32: (2, 2, 2), 256: (4, 4, 4)}  # repetitions of the cubic cell, by atoms
AGREEMENT_EV_A = {"torchani": 1e-4}  # single precision
SAME_EV_A = 1e-6


def processor_seconds(call) -> float:
    """Processor time of a call."""
    began = time.process_time()
    call()
    return time.process_time() - began


def itself(model, hyper: dict, atoms: Atoms):
    """Forces of positions by torchani's neighbour list, functions, networks and autograd."""
    torch.manual_seed(1)
    single = build_model(hyper)  # the same weights: the same seed
    species = torch.from_numpy(species_of(atoms.numbers, hyper))[None]
    cell, periodic = torch.from_numpy(atoms.cell[:]).float(), torch.tensor([True] * 3)

    def forces(positions: np.ndarray) -> np.ndarray:
        x = torch.from_numpy(positions).float()[None].requires_grad_()
        functions = single.functions(species, x, cell, periodic)
        (gradient,) = torch.autograd.grad(single.networks(species, functions).sum(), x)
        return -gradient[0].double().numpy()

    return forces


def contestants(functions: str, atoms: Atoms) -> dict:
    """Functions of positions in A that give forces in eV/A."""
    settings = defaults_of(OPTIONS) | {"functions": functions, "repulsion": "none"}
    hyper = hyper_of(settings, {int(z) for z in atoms.numbers})
    torch.manual_seed(1)
    model = build_model(hyper).double().requires_grad_(False)
    description = {"hyper": hyper, "energy_offsets_eV": {str(z): 0.0 for z in set(atoms.numbers)}}

    def by(make):
        evaluate = make(model, description, atoms.numbers)
        return lambda positions: evaluate(positions, atoms.cell[:]).forces_eV_A

    return {
        "torchani": itself(model, hyper, atoms),
        "torchani, pairs given": by(torchani_evaluator),
        "minset": by(compiled_evaluator),
    }


def main(budget_s: float) -> None:
    """Measure and print a line for each contestant."""
    torch.set_num_threads(1)
    print(f"{'functions':10}{'atoms':>6}  {'contestant':24}{'ms a call':>10}{'times minset':>14}")
    for functions in ("ani", "behler"):
        for n, repeated in CELLS.items():
            atoms = bulk("Ni", "fcc", a=3.5, cubic=True) * repeated
            atoms.positions += np.random.default_rng(1).normal(0, 0.1, atoms.positions.shape)
            calls = contestants(functions, atoms)
            found = {name: call(atoms.positions) for name, call in calls.items()}
            for name, forces in found.items():
                difference = np.abs(forces - found["torchani, pairs given"]).max()
                if not difference <= AGREEMENT_EV_A.get(name, SAME_EV_A):
                    raise RuntimeError(f"{name}: forces differ by {difference:.1e} eV/A")
            work = {
                name: partial(processor_seconds, moving(call, atoms.positions))
                for name, call in calls.items()
            }
            medians = {
                name: np.median(t) for name, t in interleaved(work, budget_s, most=51).items()
            }
            for name, seconds in medians.items():
                ratio = seconds / medians["minset"]
                print(
                    f"{functions:10}{n:6d}  {name:24}{1000 * seconds:10.3f}{ratio:14.1f}",
                    flush=True,
                )


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 6.0)
