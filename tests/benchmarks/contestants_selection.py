"""Selectors and what describes frames for them: one step of one contestant in this process.

Run by measure_selection.py. What ZnNL does (https://github.com/zincware/ZnNL, `znnl/agents/rnd.py`) is
written down here in torch.
"""

import contextlib
import io
import json
import re
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from pathlib import Path
from pkgutil import resolve_name

import numpy as np
import pandas as pd
import torch
from measure import seconds_of

from minset.pool.store import pool_size
from minset.registry import defaults_of
from minset.select import SELECTORS
from minset.select.candidates import Candidates, standardised

REFERENCE = "ZnNL's rnd"
# what describes the frames for each contestant
DESCRIBED_BY = {
    "random": None,
    "fps": "frames",
    REFERENCE: "frames",
    "rnd": "atoms",
    "rnd, frames": "frames",
    "rnd, frames, 20 steps": "frames",
    "entropy_gain": "environments",
}
# of the registry's selectors, where not their defaults
OPTIONS = {
    "rnd, frames": {"atoms": False},
    "rnd, frames, 20 steps": {"atoms": False, "max_steps": 20},
}
ROWS, ATOMS = "descriptors.npy", "atom_descriptors.npy"
WARM_UP = 40, 4  # frames, and picks from them, of each process before its time counts
NETWORK = [64, 64, 32]  # layers, as minset's
EPOCHS, LEARNING_RATE = 50, 1e-3  # ZnNL's default and its example's


def reference_rnd(candidates: Candidates, n: int, seed: int, options: dict) -> pd.DataFrame:
    """RND as ZnNL's agent does it with its default training.

    Each pick passes the whole pool through target and predictor, and trains the predictor on all picks
    so far, in one batch, for a number of epochs, each followed by an evaluation. Nothing keeps a frame
    from being picked again.
    """
    x = standardised(candidates.descriptors)
    torch.manual_seed(seed)
    networks = []
    for _ in range(2):
        layers = []
        for inputs, outputs in pairwise([x.shape[1], *NETWORK]):
            layers += [torch.nn.Linear(inputs, outputs), torch.nn.ReLU()]
        networks.append(torch.nn.Sequential(*layers[:-1]))
    target, predictor = networks
    optimizer = torch.optim.Adam(predictor.parameters(), lr=LEARNING_RATE)
    picks, chosen = [], []
    while len(picks) < n:
        data = torch.tensor(x)  # the pool goes to the device at each pick
        with torch.no_grad():
            distance = (target(data) - predictor(data)).square().mean(dim=1)
            picks.append(int(distance.argmax()))
            chosen.append(x[picks[-1]].tolist())
            domain = torch.tensor(chosen)
            codomain = target(domain)
        for _ in range(EPOCHS):
            optimizer.zero_grad()
            (predictor(domain) - codomain).square().mean().backward()
            optimizer.step()
            with torch.no_grad():
                float((predictor(domain) - codomain).square().mean())
    return pd.DataFrame({"pick": range(n), "frame": candidates.frames[picks]})


def describe(task: dict, path: Path, folder: Path) -> Callable[[], object]:
    """What makes the descriptors of a pool; they are then in the folder."""
    if task["step"] == "environments":
        environments = resolve_name("minset.select.environments:environments")
        frames = np.arange(pool_size(path))
        given = Candidates(frames, None, runs=0 * frames, pool=path, work=folder)
        return partial(environments, given, defaults_of(SELECTORS["entropy_gain"].options))
    representation = resolve_name("minset.descriptor.representation")

    def work():
        hyper, seed = task["hyper"], task["seed"]
        if task["step"] == "atoms":
            representation.atoms_described(path, hyper, seed, folder / ATOMS)
        else:
            np.save(folder / ROWS, representation.frames_described(path, hyper, seed))

    return work


def selection(task: dict, frames: int, picks: int, folder: Path) -> Callable[[], pd.DataFrame]:
    """What picks from the first frames of a pool; what it writes goes to the folder."""
    name, numbers = task["step"], np.arange(frames)
    described = Path(task["folder"])
    rows = None
    if DESCRIBED_BY[name] == "frames":
        rows = np.array(np.load(described / ROWS, mmap_mode="r")[:frames])
    given = Candidates(
        numbers,
        rows,
        runs=0 * numbers,
        pool=Path(task["pool"]),
        work=folder,
        atom_descriptors=described / ATOMS,
    )
    selector = name.partition(",")[0]
    if name == REFERENCE:
        return partial(reference_rnd, given, picks, task["seed"], {})
    record = SELECTORS[selector]
    options = defaults_of(record.options) | OPTIONS.get(name, {})
    return partial(record.select, given, picks, task["seed"], options)


def main(task: dict) -> None:
    """Do one step, print seconds, peak memory and picks as JSON.

    Parameters
    ----------
    task
        ``step``: a contestant, or a way to describe frames; ``seed``; ``pool`` and ``small_pool``,
        files; ``folder``, where descriptors are; ``picks``; ``hyper``, of the representation.
    """
    torch.set_num_threads(1)
    path, folder, found = Path(task["pool"]), Path(task["folder"]), []
    with contextlib.redirect_stdout(io.StringIO()), tempfile.TemporaryDirectory() as aside:
        first, second = Path(aside) / "first", Path(aside) / "second"
        first.mkdir()
        second.mkdir()
        if task["step"] in DESCRIBED_BY:
            selection(task, *WARM_UP, first)()
            for file in folder.glob("*.f32"):
                (second / file.name).symlink_to(file.resolve())
            work = selection(task, pool_size(path), task["picks"], second)
        else:
            describe(task, Path(task["small_pool"]), first)()
            work = describe(task, path, folder)
        seconds = seconds_of(lambda: found.append(work()))
    peak = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())[1]
    result = {"seconds": seconds, "memory_MB": int(peak) // 1000}
    if task["step"] in DESCRIBED_BY:
        result["picks"] = found[0]["frame"].tolist()
    print(json.dumps(result))


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
