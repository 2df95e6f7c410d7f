"""DeePMD-kit, TensorFlow backend: trained and compressed by ``dp``, run by LAMMPS with its plugin."""

import ctypes
import json
import sys
from collections.abc import Callable
from importlib.metadata import files
from pathlib import Path

from ase import Atoms

from minset.export.datasets import write_deepmd
from minset.md.session import quoted
from peers.environments import run_logged
from peers.in_lammps import nve

PACKAGES = ["deepmd-kit", "tensorflow-cpu", "lammps"]
TYPES = ("Cl", "K")
MODEL = "compressed.pb"


def settings_of(formula: str, seed: int, options: dict) -> dict:
    """Input of ``dp train``: DeePMD-kit's example of water but for ``options`` and the number of steps.

    ``sel`` is the most neighbours of each type within ``rcut`` (A) that are seen.
    """
    return {
        "model": {
            "type_map": list(TYPES),
            "descriptor": {
                "type": "se_e2_a",
                "sel": options["sel"],
                "rcut": options["rcut"],
                "rcut_smth": options["rcut_smth"],
                "neuron": [25, 50, 100],
                "axis_neuron": 16,
                "resnet_dt": False,
                "seed": seed,
            },
            "fitting_net": {"neuron": options["fitting"], "resnet_dt": True, "seed": seed},
        },
        "learning_rate": {
            "type": "exp",
            "decay_steps": options["steps"] // 200,
            "start_lr": 1e-3,
            "stop_lr": 1e-5,  # the example's 3.51e-8 is for a million steps
        },
        "loss": {
            "type": "ener",
            "start_pref_e": 0.02,
            "limit_pref_e": 1,
            "start_pref_f": 1000,
            "limit_pref_f": 1,
            "start_pref_v": 0,
            "limit_pref_v": 0,
        },
        "training": {
            "training_data": {"systems": [f"train/{formula}"], "batch_size": 1},
            "validation_data": {"systems": [f"validation/{formula}"], "batch_size": 4},
            "numb_steps": options["steps"],
            "seed": seed,
            "disp_freq": options["steps"] // 50,
            "save_freq": options["steps"],
        },
    }


def dp(folder: Path, *words: str) -> None:
    """Run ``dp`` with the TensorFlow backend."""
    run_logged([sys.executable, "-m", "deepmd", "--tf", *words], folder)


def train(frames, validation, folder: Path, seed: int, options: dict) -> None:
    """Train, freeze and compress."""
    write_deepmd({"train": frames, "validation": validation}, folder)
    formula = frames[0].get_chemical_formula(mode="hill")
    (folder / "input.json").write_text(json.dumps(settings_of(formula, seed, options), indent=1))
    dp(folder, "train", "input.json")
    dp(folder, "freeze", "-o", "frozen.pb")
    dp(folder, "compress", "-i", "frozen.pb", "-o", MODEL, "-t", "input.json")


def calculator(folder: Path):
    """DeePMD-kit's own calculator."""
    from deepmd.calculator import DP

    return DP(folder / MODEL)


def steps(folder: Path, atoms: Atoms) -> Callable[[int], None]:
    """NVE in LAMMPS with DeePMD-kit's own pair style, which computes the virial each step."""
    import deepmd.tf.env  # noqa: F401  loads TensorFlow, which the plugin does not find by itself

    library = next(path for path in files("mpich") if path.match("libmpi.so.*"))
    ctypes.CDLL(str(library.locate()), ctypes.RTLD_GLOBAL)

    def attach(lmp, symbols: list[str], system: dict) -> Callable[[], None]:
        lmp.command(f"pair_style deepmd {quoted(folder / MODEL)}")
        lmp.command(f"pair_coeff * * {' '.join(system['species'])}")
        return lambda: None

    return nve(atoms, attach)
