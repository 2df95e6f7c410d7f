"""Fit of a GAP by ``gap_fit``."""

import importlib.util
import os
import subprocess
from pathlib import Path

import ase.io
import numpy as np
from ase import Atoms
from ase.data import chemical_symbols

from minset.files import file_hash, write_json, written_aside
from minset.model.gap import XML
from minset.model.gap.evaluator import gap_evaluator, load_gap
from minset.model.neighbours import undirected_pairs
from minset.model.offsets import energy_offsets, require_trained
from minset.model.record import DESCRIPTION
from minset.model.repulsion import repulsion_of, repulsion_on, with_floor

LABELS = "labels.xyz"


def train_gap(
    train: list[Atoms],
    validation: list[Atoms],
    settings: dict,
    training: dict,
    seed: int,
    folder: Path,
    threads: int,
    provenance: dict,
) -> dict:
    """Fit one model. There is nothing to continue: a fit that was killed begins anew.

    Parameters
    ----------
    train
        Frames with energy, forces and, where it is known, stress.
    validation
        The same, only to say how good the fit is.
    settings
        ``cutoff_A``, ``cutoff_transition_width_A``, ``n_max``, ``l_max``, ``atom_sigma_A``, ``zeta``
        (of the SOAP kernel), ``delta_eV`` and ``repulsion`` (``none``, ``zbl``, ``floor``).
    training
        ``sparse_points`` of each species, and the expected errors of the labels beyond the reach of
        the kernel: ``energy_sigma_eV_atom``, ``force_sigma_eV_A`` and, if the stress is to be fitted,
        ``virial_sigma_eV_atom``.
    seed
        Of ``gap_fit``'s random numbers.
    folder
        Gets ``gap.xml`` and ``model.json``.
    threads
        Of the linear algebra.
    provenance
        Written into ``model.json`` as it is.

    Returns
    -------
    dict
        ``force_rmse_eV_A`` and ``energy_rmse_meV_atom`` on the validation frames.

    Raises
    ------
    ValueError
        If ``gap_fit`` fails, with its last words, or a validation frame has an element that no
        training frame has.
    """
    folder = Path(folder)
    offsets = energy_offsets(train)
    require_trained(offsets, validation)
    settings = with_floor(settings, [*train, *validation])
    with_stress = "virial_sigma_eV_atom" in training
    labels = [_labels(frame, offsets, settings, with_stress) for frame in train]
    ase.io.write(folder / LABELS, labels, format="extxyz")
    with written_aside(folder / XML) as aside:
        arguments = _arguments(sorted(offsets), settings, training, seed)
        _run_gap_fit([*arguments, f"gp_file={aside.name}"], folder, threads)
    description = {
        "kind": "gap",
        "settings": settings,
        "training": training | {"seed": seed},
        "energy_offsets_eV": {str(z): e for z, e in offsets.items()},
        "units": {"energy": "eV", "length": "A"},
        "gap_xml_sha256": file_hash(folder / XML),
        "provenance": provenance,
    }
    write_json(folder / DESCRIPTION, description)
    summary = _errors(folder, validation, threads)
    write_json(folder / DESCRIPTION, description | {"validation": summary})
    print(
        f"validation: energy RMSE {summary['energy_rmse_meV_atom']:.2f} meV/atom, force RMSE "
        f"{summary['force_rmse_eV_A']:.4f} eV/A",
        flush=True,
    )
    return summary


def _labels(frame: Atoms, offsets: dict, settings: dict, with_stress: bool) -> Atoms:
    """A frame with what the kernels are to learn of its labels, in the names of ``_arguments``."""
    energy = frame.get_potential_energy() - sum(offsets[int(z)] for z in frame.numbers)
    forces = frame.get_forces()
    with_stress = with_stress and "stress" in frame.calc.results
    virial = frame.get_stress(voigt=False) * frame.cell.volume if with_stress else None
    if repulsion := repulsion_of(settings):
        pairs = undirected_pairs(frame.positions, np.array(frame.cell), settings["cutoff_A"])
        energies, of_forces, of_virial = repulsion_on(repulsion, frame.numbers, *pairs)
        energy, forces = energy - energies.sum(), forces - of_forces
        virial = virial - of_virial if with_stress else None
    labels = Atoms(frame.numbers, frame.positions, cell=frame.cell, pbc=True)
    labels.info["label_energy"] = energy
    if with_stress:
        # QUIP's is the negative derivative; nine numbers, since it cannot read ASE's matrices
        labels.info["label_virial"] = -virial.ravel()
    labels.set_array("label_forces", forces)
    return labels


def _arguments(species: list[int], settings: dict, training: dict, seed: int) -> list[str]:
    """Arguments of ``gap_fit``: one SOAP kernel about the atoms of each species."""
    soap = {
        "n_max": settings["n_max"],
        "l_max": settings["l_max"],
        "atom_sigma": settings["atom_sigma_A"],
        "zeta": settings["zeta"],
        "cutoff": settings["cutoff_A"],
        "cutoff_transition_width": settings["cutoff_transition_width_A"],
        "delta": settings["delta_eV"],
        "n_sparse": training["sparse_points"],
        "covariance_type": "dot_product",
        "sparse_method": "cur_points",
        "add_species": "T",
    }
    sigmas = [training[k] for k in ("energy_sigma_eV_atom", "force_sigma_eV_A")]
    sigmas += [training.get("virial_sigma_eV_atom", 0.0), 0.0]
    offsets = ":".join(f"{chemical_symbols[z]}:0.0" for z in species)
    return [
        f"atoms_filename={LABELS}",
        "gap={soap " + " ".join(f"{key}={value}" for key, value in soap.items()) + "}",
        "default_sigma={" + " ".join(map(str, sigmas)) + "}",
        "e0={" + offsets + "}",  # taken off the labels already
        "energy_parameter_name=label_energy",
        "force_parameter_name=label_forces",
        "virial_parameter_name=label_virial",
        f"rnd_seed={seed}",
        "do_copy_at_file=F",
        "sparse_separate_file=F",
    ]


def _run_gap_fit(arguments: list[str], folder: Path, threads: int) -> None:
    """Run ``gap_fit`` in a folder and print what it prints."""
    found = importlib.util.find_spec("quippy")
    if found is None:
        raise ValueError("GAP needs the Python package quippy-ase, which is not installed here")
    environment = os.environ | {
        "OMP_NUM_THREADS": str(threads),
        "OPENBLAS_NUM_THREADS": str(threads),
        "GFORTRAN_UNBUFFERED_ALL": "y",  # progress in the log as it happens
    }
    last = "no output at all"
    with subprocess.Popen(
        [Path(found.origin).with_name("gap_fit"), *arguments],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as process:
        try:
            for line in process.stdout:
                if "FoX" in line:
                    continue  # its XML writer's thousand remarks on line breaks
                print(line, end="", flush=True)
                if line.strip() and not line.startswith("STOP"):
                    last = line.strip()
        except BaseException:
            process.kill()
            raise
    if process.returncode == 0:
        return
    if process.returncode < 0:
        raise ValueError(
            f"gap_fit was killed by signal {-process.returncode}; if by lack of memory, give the job "
            "more, or take fewer frames or a lower n_max or l_max"
        )
    raise ValueError(f"gap_fit ended with exit code {process.returncode}: {last}")


def _errors(folder: Path, frames: list[Atoms], threads: int) -> dict[str, float]:
    """Energy and force RMSE of a saved model."""
    potential, description = load_gap(folder)
    energy, force = [], []
    for frame in frames:
        evaluate = gap_evaluator(potential, description, frame.numbers, threads)
        result = evaluate(frame.positions, np.array(frame.cell))
        energy.append((result.energy_eV - frame.get_potential_energy()) / len(frame))
        force.append(np.ravel(result.forces_eV_A - frame.get_forces()))
    return {
        "energy_rmse_meV_atom": float(1000 * np.sqrt(np.mean(np.square(energy)))),
        "force_rmse_eV_A": float(np.sqrt(np.mean(np.square(np.concatenate(force))))),
    }
