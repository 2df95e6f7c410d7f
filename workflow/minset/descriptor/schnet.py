"""Descriptor ``schnet``: features of an untrained SchNet representation (Finkbeiner et al., 2024)."""

from pathlib import Path

import numpy as np

from minset.descriptor.record import Descriptor
from minset.files import written_aside


def describe(pool: Path, path: Path, of: str, options: dict, threads: int = 1) -> None:
    """Write the descriptors of the frames of a pool, or of their atoms.

    Parameters
    ----------
    pool
        Pool file.
    path
        Array (.npy), float32: of frames, shape (T, species x features); of atoms, shape (T, n_max,
        features).
    of
        ``frames`` or ``atoms``.
    options
        As in ``RECORD``.
    threads
        Of the compiled loops.

    Raises
    ------
    ValueError
        If the pool is damaged.
    """
    from minset.descriptor.representation import atoms_described, frames_described
    from minset.model.schnet.architecture import hyper_of

    hyper = hyper_of(options)
    with written_aside(path) as aside:
        if of == "frames":
            rows = frames_described(pool, hyper, options["seed"], threads)
            np.save(aside, rows, allow_pickle=False)
        else:
            atoms_described(pool, hyper, options["seed"], aside, threads)


RECORD = Descriptor(
    options={
        "size": {
            "enum": ["small", "medium", "large"],
            "default": "medium",
            "description": "Of the representation, as of models",
        },
        "cutoff_A": {
            "type": "number",
            "exclusiveMinimum": 0,
            "default": 6.0,
            "description": "Reach of its interactions, in A",
        },
        "seed": {
            "type": "integer",
            "minimum": 1,
            "maximum": 2147483647,
            "default": 1,
            "description": "Of its random weights",
        },
    },
    describe=describe,
)
