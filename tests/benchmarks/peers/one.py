"""One contestant with one training set, in its own environment: ``python -m peers.one PLAN.json``.

The plan's ``stage`` is ``train`` or ``evaluate``; what is measured goes to its ``result``.
"""

import json
import resource
import sys
import time
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

import ase.io
import numpy as np
from ase.md.velocitydistribution import MaxwellBoltzmannDistribution

from minset.observe.errors import metrics

REPEATED = (2, 2, 2)  # 256 ions, for the cost of a step
TEMPERATURE_K = 1200
BLOCKS, BLOCK_S = 5, 2.0


def processor_s() -> float:
    """Of this process and of those that it ran and waited for."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def memory_MB() -> float:
    """Peak of this process or of one that it ran."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return round(max(each.ru_maxrss for each in used) / 1024)


def trained(module, plan: dict) -> dict:
    """Train; seconds of processor, because other work may share the machine."""
    folder = Path(plan["folder"])
    frames, validation = (ase.io.read(folder / f"{x}.extxyz", ":") for x in ("train", "validation"))
    if hasattr(module, "warm"):
        module.warm(frames, validation, plan["options"])
    before = processor_s()
    module.train(frames, validation, folder, plan["seed"], plan["options"])
    return {"training_s": round(processor_s() - before, 1), "training_memory_MB": memory_MB()}


def errors(calculator, frames: list) -> dict:
    """Errors of forces (eV/A) and of energies (meV/atom), these also without their mean."""
    forces, energies = [], []
    for frame in frames:
        atoms = frame.copy()
        atoms.calc = calculator
        forces.append(atoms.get_forces() - frame.get_forces())
        shift = atoms.get_potential_energy() - frame.get_potential_energy()
        energies.append(1000 * shift / len(atoms))
    force, energy = metrics(np.concatenate(forces)), np.array(energies)
    return {
        "test_frames": len(frames),
        "force_rmse_eV_A": force["rmse"],
        "force_l4_eV_A": force["l4"],
        "energy_rmse_meV_atom": float(np.sqrt(np.mean(energy**2))),
        "energy_std_meV_atom": float(energy.std()),
    }


def step_cost(run, atoms: int) -> dict:
    """Microseconds of processor for an atom and step: median and range of blocks of MD."""
    run(2)  # the first may compile
    before = time.process_time()
    run(2)
    length = int(np.clip(BLOCK_S * 2 / max(time.process_time() - before, 1e-3), 2, 500))
    costs = []
    for _ in range(BLOCKS):
        before = time.process_time()
        run(length)
        costs.append(1e6 * (time.process_time() - before) / length / atoms)
    return {
        "us_per_atom_step": float(np.median(costs)),
        "us_least": min(costs),
        "us_most": max(costs),
        "steps": length,
        "ions": atoms,
    }


def evaluated(module, plan: dict) -> dict:
    """Errors on the test frames, and the cost of MD of a frame of them repeated."""
    folder = Path(plan["folder"])
    frames = ase.io.read(folder / "test.extxyz", ":")
    found = errors(module.calculator(folder), frames)
    atoms = frames[0].copy() * REPEATED
    rng = np.random.default_rng(0)
    MaxwellBoltzmannDistribution(atoms, temperature_K=TEMPERATURE_K, rng=rng)
    found |= step_cost(module.steps(folder, atoms), len(atoms))
    return found | {"memory_MB": memory_MB()}


def main(plan: dict) -> None:
    """Carry out one stage."""
    import torch

    torch.set_num_threads(1)
    module = import_module(f"peers.{plan['module']}")
    found = {"train": trained, "evaluate": evaluated}[plan["stage"]](module, plan)
    found["versions"] = {name: version(name) for name in module.PACKAGES}
    Path(plan["result"]).write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main(json.loads(Path(sys.argv[1]).read_text()))
