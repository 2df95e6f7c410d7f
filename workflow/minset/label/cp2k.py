"""The ``cp2k`` labeler: energy, forces and stress from density functional theory in CP2K.

A calculation starts from the wave function of the frame before it and, if that leads nowhere or
there is none, from atoms; if its SCF does not converge, once more with the safe minimiser. CP2K's
own verdict decides; CP2K 2023 ends normally even where it did not converge.
"""

import hashlib
import shlex
import shutil
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from ase import Atoms

from minset.label.cp2k_input import WAVE_FUNCTION, cp2k_input
from minset.label.cp2k_output import parse_output, require_verdict, scf_verdict
from minset.label.cp2k_run import CP2K, run_cp2k
from minset.label.program import command_mistake, launch_command, program_options
from minset.label.record import Labeler
from minset.label.store import LabelFailed, RawLabel, canonical_json

# What a system file and a study need not say.
DEFAULTS = {
    "functional": "PBE",
    "dispersion": "rvv10",
    "eps_default": 1e-12,
    "eps_scf": 1e-6,
    # each outer loop renews the preconditioner: short inner loops need half the steps in all
    "max_scf": 5,
    "max_outer_scf": 20,
    "charge": 0,
    "basis_set_file": "BASIS_MOLOPT",
    "potential_file": "GTH_POTENTIALS",
    "reuse_wave_functions": True,
    "timeout_s": 14400,
    "command": "cp2k.psmp",
}
# how a label is reached, not what it is: these settings are not part of its key
_EFFORT = {"command", "timeout_s", "max_scf", "max_outer_scf", "reuse_wave_functions"}
_PHYSICS = {
    *("method", "functional", "dispersion", "cutoff_Ry", "rel_cutoff_Ry", "eps_default"),
    *("eps_scf", "kinds", "charge", "basis_set_file", "potential_file"),
}
_CHOICES = {
    "method": ("GPW", "GAPW"),
    "functional": ("PBE",),
    "dispersion": ("none", "d3", "rvv10"),
}
# without defaults: what a study does not give is the system file's, then that of DEFAULTS
OPTIONS = {
    "dispersion": {
        "enum": ["none", "d3", "rvv10"],
        "description": "Van der Waals correction to PBE; rvv10 when absent",
    },
    "cutoff_Ry": {
        "type": "number",
        "minimum": 100,
        "description": "Plane waves of the finest grid; the system file's when absent",
    },
    "rel_cutoff_Ry": {
        "type": "number",
        "minimum": 20,
        "description": "Which grid a Gaussian is put on; the system file's when absent",
    },
    "eps_default": {
        "type": "number",
        "exclusiveMinimum": 0,
        "description": "CP2K's EPS_DEFAULT, precision of its integrals; 1e-12 when absent",
    },
    "eps_scf": {
        "type": "number",
        "exclusiveMinimum": 0,
        "description": "Gradient at which the SCF is converged; 1e-6 when absent",
    },
    "max_scf": {
        "type": "integer",
        "minimum": 1,
        "description": "Steps of an inner SCF loop; 5 when absent",
    },
    "max_outer_scf": {
        "type": "integer",
        "minimum": 0,
        "description": "Outer SCF loops, each with a new preconditioner; 20 when absent",
    },
    "reuse_wave_functions": {
        "type": "boolean",
        "description": "Start from the wave function of the job's frame before; true when absent",
    },
    **program_options("CP2K", "cp2k.psmp"),
}


def settings_of(system: dict, given: dict) -> dict[str, Any]:
    """Complete settings: the study's, else the system file's, else the defaults.

    Parameters
    ----------
    system
        Content of a system file.
    given
        The study's ``labels.settings``.
    """
    return DEFAULTS | system.get("cp2k", {}) | given


def mistakes(system: dict, given: dict) -> list[str]:
    """What is wrong with the study's ``labels.settings`` in view of a system file."""
    where = f"the file of {system.get('name', 'the system')}"
    if "cp2k" not in system:
        return [f"labels.labeler: cp2k needs the section `cp2k` in {where}"]
    settings = settings_of(system, given)
    found = [f"labels.settings: {mistake}" for mistake in _setting_mistakes(settings)]
    found += [
        f"labels.labeler: cp2k needs cp2k.kinds.{species} in {where}"
        for species in system["species"]
        if species not in settings.get("kinds", {})
    ]
    if mistake := command_mistake(settings["command"], DEFAULTS["command"]):
        found.append(mistake)
    return found


def physics(settings: dict[str, Any], atoms: Atoms) -> dict[str, Any]:
    """The settings that decide the label of a frame: without command, time limit and numbers of
    SCF steps, with the kinds of the frame's elements only."""
    kept = {key: value for key, value in settings.items() if key not in _EFFORT}
    elements = set(atoms.get_chemical_symbols())
    kept["kinds"] = {name: kind for name, kind in settings["kinds"].items() if name in elements}
    return kept


def label(atoms: Atoms, settings: dict[str, Any], workdir: Path, threads: int) -> RawLabel:
    """Label one frame with CP2K.

    Parameters
    ----------
    atoms
        Frame, periodic in three directions (A).
    settings
        From ``settings_of``; ``timeout_s`` holds for the whole frame.
    workdir
        Folder of this frame alone; inputs and outputs stay there. Its parent holds the wave
        function for the next frame.
    threads
        Cores; they take the place of ``{threads}`` in the command, else OpenMP threads.

    Raises
    ------
    LabelFailed
        If there is no converged result; permanent unless CP2K crashed, was killed or ran too long.
    LabelerUnusable
        If CP2K is of a version whose output is not known.
    ValueError
        If a setting or an element's kind is missing or unknown.
    FileNotFoundError
        If CP2K is not installed.
    """
    for mistake in _setting_mistakes(settings):
        raise ValueError(mistake)
    argv, environment = launch_command(CP2K, settings["command"], threads)
    workdir = Path(workdir).resolve()
    workdir.mkdir(parents=True, exist_ok=True)
    limits = {"deadline": time.monotonic() + settings["timeout_s"]}
    limits["timeout_s"] = settings["timeout_s"]
    run = partial(run_cp2k, argv, environment=environment, **limits)
    previous = workdir.parent / _shared_name(atoms, settings)
    try:
        raw = _first_converged(atoms, settings, workdir, previous, run)
    finally:
        # wave functions are the only large files; the one for the next frame has been moved
        for path in workdir.glob("*.wfn*"):
            path.unlink()
    raw.info["command"] = shlex.join(argv)
    return raw


def _first_converged(
    atoms: Atoms,
    settings: dict[str, Any],
    workdir: Path,
    previous: Path,
    run: Callable[[Path], str],
) -> RawLabel:
    """Label from the first attempt that converges.

    Parameters
    ----------
    previous
        Place of the wave function that frames hand on.
    run
        Runs CP2K on the input beside the output named; returns what it wrote.
    """
    wave_function = workdir / WAVE_FUNCTION
    # minimiser and start: safe or not, from the previous frame or from atoms
    attempts = [(False, False), (True, False)]
    if settings["reuse_wave_functions"] and previous.exists():
        shutil.copyfile(previous, wave_function)
        attempts.insert(0, (False, True))
    for number, (safe, reuse) in enumerate(attempts, start=1):
        place = workdir / f"attempt-{number}"
        try:
            converged, steps, text, output = _attempt(atoms, settings, safe, reuse, place, run)
        except LabelFailed:
            # a damaged wave function of another frame is not this one's fault
            if not reuse:
                raise
            previous.unlink(missing_ok=True)
            continue
        if converged:
            energy, forces, stress, version = parse_output(text, len(atoms), output)
            if settings["reuse_wave_functions"] and wave_function.exists():
                wave_function.replace(previous)
            guess = "previous frame" if reuse else "atoms"
            info = {"scf_steps": steps, "attempts": number, "guess": guess}
            return RawLabel(energy, forces, stress, info | {"version": f"CP2K {version}"})
    raise LabelFailed(
        f"SCF not converged in {steps} steps, nor before with the faster minimiser",
        permanent=True,
        output=output,
    )


def _attempt(
    atoms: Atoms,
    settings: dict[str, Any],
    safe: bool,
    reuse: bool,
    place: Path,
    run: Callable[[Path], str],
) -> tuple[bool, int, str, Path]:
    """Whether an attempt converged, its steps, and the last output with its place."""
    steps = 0
    # rVV10 costs four times as much per step, so it starts from PBE's wave function
    stages = (True, False) if settings["dispersion"] == "rvv10" else (False,)
    for preliminary in stages:
        output = place.with_name(f"{place.name}{'-pbe' if preliminary else ''}.out")
        source = cp2k_input(atoms, settings, safe=safe, preliminary=preliminary, reuse=reuse)
        output.with_suffix(".inp").write_text(source)
        text = run(output)
        require_verdict(text, output)
        converged, stage_steps = scf_verdict(text)
        steps += stage_steps
        if not converged:
            break
    return converged, steps, text, output


def _shared_name(atoms: Atoms, settings: dict[str, Any]) -> str:
    """Name of the wave function that frames of the same atoms and settings hand on."""
    owner = canonical_json([atoms.numbers.tolist(), physics(settings, atoms)])
    return f"{hashlib.sha256(owner.encode()).hexdigest()[:16]}.wfn"


def _setting_mistakes(settings: dict[str, Any]) -> list[str]:
    known = _EFFORT | _PHYSICS
    found = [f"the setting cp2k.{key} is missing" for key in sorted(known) if key not in settings]
    found += [
        f"cp2k.{key} is not a setting of the cp2k labeler" for key in settings if key not in known
    ]
    found += [
        f"cp2k.{key} is {settings[key]!r}; it can be {', '.join(choices)}"
        for key, choices in _CHOICES.items()
        if key in settings and settings[key] not in choices
    ]
    return found


def seconds(settings: dict[str, Any], ions: int) -> float:
    """Time of one frame on one core, by the square of the ions, from the times in workflow/README.md."""
    dearer = 2 if settings["dispersion"] == "rvv10" else 1
    if settings["method"] == "GAPW":
        dearer *= 2
    return 150 * (ions / 32) ** 2 * dearer


def megabytes(settings: dict[str, Any], ions: int) -> float:
    """Memory of one calculation: CP2K takes 1.1 GB for 32 ions."""
    return 40 * ions


RECORD = Labeler(
    name="cp2k",
    label=label,
    options=OPTIONS,
    settings_of=settings_of,
    physics=physics,
    mistakes=mistakes,
    environment="cp2k",
    seconds=seconds,
    megabytes=megabytes,
    effort=frozenset(_EFFORT),
)
