"""Generator ``transferred``: frames of another system, with other lengths and other species.

Jung, Lee and Choi (2023) sampled and distilled nickel, scaled the frames that were left by the ratio of
the lattice constants, and labelled them as aluminium: neither is repeated for the second metal.
"""

import glob
from pathlib import Path

from minset.pool.record import Generator, Sampled

_SYMBOL = {"type": "string", "minLength": 1}
OPTIONS = {
    "path": {
        "type": "string",
        "minLength": 1,
        "description": "File or pattern of the frames, in any format of the generator `files`; or `from`",
    },
    "from": {
        "type": "object",
        "additionalProperties": False,
        "required": ["study", "system"],
        "properties": {
            "study": _SYMBOL | {"description": "Its name"},
            "system": _SYMBOL | {"description": "One of its systems, by the name of the file"},
            "set": _SYMBOL | {"description": "Training set; the pool when absent"},
        },
        "description": "Another study, which has run here, and its system: frames of its pool, or of the "
        "training set `set`, like committee-n100-s1",
    },
    "species": {
        "type": "object",
        "minProperties": 1,
        "additionalProperties": _SYMBOL,
        "description": "What becomes of each species of the frames: {Ni: Al}",
    },
    "scale": {
        "type": "number",
        "minimum": 0.1,
        "maximum": 10,
        "description": "Factor of all lengths; when absent the cube root of the ratio of the crystals' "
        "volumes per atom, for equal structures the ratio of the lattice constants",
    },
    "crystal": {
        "type": "object",
        "additionalProperties": False,
        "required": ["structure", "a_A"],
        "properties": {
            "structure": {
                "enum": ["fcc", "hcp", "bcc", "rocksalt", "cesiumchloride"],
                "description": "At rest",
            },
            "a_A": {"type": "number", "exclusiveMinimum": 0},
            "c_A": {"type": "number", "exclusiveMinimum": 0},
        },
        "description": "Of the frames' system, as in its file; of an element that of ASE's table when "
        "absent",
    },
}


def plan(settings: dict) -> list[dict]:
    """One run.

    Parameters
    ----------
    settings
        Of the pool, see ``RECORD``.

    Returns
    -------
    list of dict
        See ``minset.pool``; ``paths`` are the files.

    Raises
    ------
    ValueError
        If it is not told from where frames are, beginning with the key.
    FileNotFoundError
        If there is no such file.
    """
    if ("path" in settings) == ("from" in settings):
        raise ValueError("path: give it, or `from`, and not both")
    key = "path" if "path" in settings else "from"
    pattern = settings["path"] if key == "path" else _of_study(**settings["from"])
    paths = sorted(p for p in glob.glob(pattern, recursive=True) if Path(p).is_file())
    if not paths:
        remedy = "" if key == "path" else f"; run the study {settings['from']['study']} first"
        raise FileNotFoundError(
            f"{key}: there is no file {pattern}, seen from {Path.cwd()}{remedy}"
        )
    own = {key: settings[key] for key in ("species", "scale", "crystal") if key in settings}
    return [{"name": "transferred", "paths": paths, "every": 1} | own]


def _of_study(study: str, system: str, **others) -> str:
    if name := others.get("set"):
        return f"results/{system}/dataset/{study}/{name}/train.extxyz"
    return f"results/{system}/pool/{study}/pool.h5"


def mistakes(pool: dict, system: dict) -> list[str]:
    """Species that the system does not have, or a scale that no crystals tell."""
    from minset.crystal import crystal_needs

    lines = [
        f"species.{old}: the system has no {new}; it has {', '.join(system['species'])}"
        for old, new in pool["species"].items()
        if new not in system["species"]
    ]
    if lines or "scale" in pool:
        return lines
    return [
        f"scale: missing, and crystals do not tell it: {reason}"
        for reason in filter(None, map(crystal_needs, (source_of(pool, system), system)))
    ][:1]


def source_of(run: dict, system: dict) -> dict:
    """The system from which frames are, as far as its crystal is concerned.

    Its species have the numbers in a formula unit that theirs have in ``system``.
    """
    species = {old: system["species"][new] for old, new in run["species"].items()}
    return {"species": species} | ({"crystal": run["crystal"]} if "crystal" in run else {})


def scale_of(run: dict, system: dict) -> float:
    """Factor of all lengths of a run."""
    from minset.crystal import conventional_cell

    if "scale" in run:
        return run["scale"]
    before, after = map(conventional_cell, (source_of(run, system), system))
    volumes = after.cell.volume / len(after), before.cell.volume / len(before)
    return float((volumes[0] / volumes[1]) ** (1 / 3))


def sample(system: dict, run: dict, work: Path) -> Sampled:
    """Frames of the files of a run, scaled and with other species; what they knew is left behind.

    Raises
    ------
    NoFrames
        As of ``minset.pool.reading.read_run``.
    """
    from ase import Atoms

    from minset.pool.reading import read_run

    read = read_run({"species": run["species"]}, run)
    factor = scale_of(run, system)
    print(f"{len(read.frames)} frames, all lengths times {factor:.6g}")
    frames = []
    for image in read.frames:
        symbols = [run["species"][symbol] for symbol in image.symbols]
        frame = Atoms(symbols, positions=image.positions, cell=image.cell, pbc=True)
        frame.set_cell(frame.cell * factor, scale_atoms=True)
        frame.info = image.info
        frames.append(frame)
    return Sampled(frames, read.note)


RECORD = Generator(
    options=OPTIONS,
    required=("species",),
    plan=plan,
    sample=sample,
    advice="Correct `path` or `from`, and `species` of the pool",
    files=lambda run: run["paths"],
    mistakes=mistakes,
    of_crystal=lambda run: "scale" not in run,
)
