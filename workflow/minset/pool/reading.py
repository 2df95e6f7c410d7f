"""Reading the user's files: what of them can be frames of a pool, and what they know of labels."""

from collections import Counter
from collections.abc import Iterator

import ase.io
import numpy as np
import znh5md
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator

from minset.contacts import REACH_A, shortest_A
from minset.evaluation import Unusable, require_apart, require_usable
from minset.pool.consistency import contradiction
from minset.pool.record import NoFrames, Sampled

_H5MD = (".h5", ".h5md", ".hdf5")


def read_run(system: dict, run: dict, labels: bool = True) -> Sampled:
    """Frames of the files of a run, in their order.

    Left out are frames that hold other species than the system, copies of earlier ones, and those
    that cannot be computed: without a cell, with numbers that are not finite, atoms alone.

    Parameters
    ----------
    system, run
        As of a generator's ``sample``.
    labels
        Whether energies, forces and stresses of the files are looked at.

    Raises
    ------
    NoFrames
        If a file cannot be read, none of its frames can be used, a key is in no frame, or energies
        or stresses contradict the forces.
    """
    frames, left_out, seen, keys = [], Counter(), {}, set()
    for path in run["paths"]:
        own = []
        for number, image in enumerate(_read(path, run)):
            if not labels:
                image.calc = None
            frame = _frame(image, run, path)
            keys |= {*image.info, *image.arrays}
            reason = _unusable(frame, set(system["species"])) or _known(frame, seen)
            if reason:
                left_out[reason] += 1
                print(f"frame {number * run['every']} of {path} {reason}")
            else:
                frame.info = {"file": str(path), "file_frame": number * run["every"]}
                own.append(frame)
        labelled = [f for f in own if {"energy", "forces"} <= set(f.calc.results)]
        if wrong := contradiction(labelled):
            raise NoFrames(
                f"{path}: {wrong}; write it in eV, eV/A and eV/A^3, with positive stress for tension"
            )
        frames += own
    if not frames:
        raise NoFrames(f"{', '.join(run['paths'][:3])}: none can be used; {_told(left_out)}")
    missing = _missing(frames, keys, run) if labels else []
    return Sampled(frames, "; ".join(filter(None, [_told(left_out), *missing])))


def _told(left_out: Counter) -> str:
    """How many frames are left out, and why."""
    if not left_out:
        return ""
    plural = {"holds": "hold", "is": "are", "has": "have"}
    reasons = []
    for reason, count in left_out.most_common():
        verb, _, rest = reason.partition(" ")
        reasons.append(f"{count} {plural.get(verb, verb)} {rest}")
    return f"{left_out.total()} frames are left out: {'; '.join(reasons)}"


def _missing(frames: list[Atoms], keys: set[str], run: dict) -> list[str]:
    """Labels that no frame has, with keys that look like them.

    Raises
    ------
    NoFrames
        If one was named by a key.
    """
    lines = []
    for name in ("energy", "forces", "stress"):
        if any(name in frame.calc.results for frame in frames):
            continue
        option = "virial_key" if name == "stress" and "virial_key" in run else f"{name}_key"
        alike = sorted(k for k in keys if name.rstrip("s") in k.lower())
        looks = f"; {', '.join(alike)} looks like it, to be named by pool.{option}" if alike else ""
        if option in run:
            path = run["paths"][0]
            raise NoFrames(f"{path}: no frame has `{run[option]}` (pool.{option}){looks}")
        lines.append(f"no frame has {name}{looks}")
    return lines


def _read(path: str, run: dict) -> Iterator[Atoms]:
    """Each n-th frame of a file."""
    every, format_name, options = run["every"], run.get("format"), {}
    try:
        if format_name == "h5md" or (format_name is None and path.endswith(_H5MD)):
            pool = znh5md.IO(path)
            yield from (pool[k] for k in range(0, len(pool), every))
            return
        with open(path, "rb") as file:
            is_dump = file.read(14) == b"ITEM: TIMESTEP"
        if is_dump and format_name is None:
            format_name = "lammps-dump-text"
        if format_name == "lammps-dump-text" and "elements" in run:
            options["specorder"] = run["elements"]
        yield from ase.io.iread(path, index=f"::{every}", format=format_name, **options)
    except Exception as error:  # readers raise many kinds
        raise NoFrames(
            f"{path} cannot be read{f' as {format_name}' if format_name else ''} "
            f"({type(error).__name__}: {error}); name its format with pool.format, or take it away"
        ) from error


def _frame(image: Atoms, run: dict, path: str) -> Atoms:
    """Species, geometry and labels of an image, and nothing else."""
    frame = Atoms(image.numbers, positions=image.positions, cell=image.cell, pbc=image.pbc)
    known = image.calc.results if image.calc else {}
    # forces are the gradient of the free energy, where the file tells it from that at 0 K
    values = {
        "energy": known.get("free_energy", known.get("energy")),
        "forces": known.get("forces"),
        "stress": known.get("stress"),
    }
    for name in values:
        if key := run.get(f"{name}_key"):
            values[name] = _by_key(image, known, key)
    if (key := run.get("virial_key")) and (virial := _by_key(image, known, key)) is not None:
        values["stress"] = -np.asarray(virial, float) / image.cell.volume
    try:
        shaped = {
            name: _SHAPED[name](value, len(image))
            for name, value in values.items()
            if value is not None
        }
    except (TypeError, ValueError) as error:
        raise NoFrames(
            f"{path}: energy, forces or stress are no numbers of theirs ({error})"
        ) from None
    frame.calc = SinglePointCalculator(frame, **shaped)
    return frame


def _by_key(image: Atoms, known: dict, key: str):
    for place in (image.info, image.arrays, known):
        if key in place:
            return place[key]
    return None


def _voigt(value, n: int) -> np.ndarray:
    stress = np.asarray(value, float)
    if stress.size == 6:
        return stress.reshape(6)
    (xx, xy, xz), (yx, yy, yz), (zx, zy, zz) = stress.reshape(3, 3)
    return np.array([xx, yy, zz, (yz + zy) / 2, (xz + zx) / 2, (xy + yx) / 2])


_SHAPED = {
    "energy": lambda value, n: float(np.asarray(value).reshape(())),
    "forces": lambda value, n: np.asarray(value, float).reshape(n, 3),
    "stress": _voigt,
}


def _unusable(frame: Atoms, species: set[str]) -> str:
    """Why a frame is no candidate."""
    if foreign := sorted(set(frame.symbols) - species):
        return f"holds {', '.join(foreign)}, which the system does not"
    if not frame.pbc.all():
        return "is not periodic in three directions"
    try:
        require_usable(frame.positions, frame.cell[:])
        shortest = shortest_A(frame.numbers, frame.positions, frame.cell[:])
        require_apart(shortest)
    except Unusable as error:
        return f"cannot be computed: {error}"
    if not np.isfinite(shortest).any():
        return f"has no two atoms within {REACH_A:g} A"
    if not all(np.isfinite(value).all() for value in frame.calc.results.values()):
        return "has an energy, forces or a stress that are not finite"
    return ""


def _known(frame: Atoms, seen: dict) -> str:
    """Whether a frame came before, in the files of this run; remembers it."""
    key = b"".join(a.tobytes() for a in (frame.numbers, frame.positions, frame.cell[:]))
    energy = frame.calc.results.get("energy")
    if key not in seen:
        seen[key] = energy
        return ""
    if energy is not None and seen[key] is not None and abs(energy - seen[key]) > 1e-6:
        return "is a copy of an earlier one with another energy"
    return "is a copy of an earlier one"
