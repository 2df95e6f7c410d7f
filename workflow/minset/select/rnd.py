"""Selector ``rnd``: random network distillation (Finkbeiner, Tovey, Holm, PRL 132, 167301, 2024).

A target network f and a predictor g map descriptors to a small space. The frame where they differ
most is picked, g is trained towards f on all picks so far, and so on: what g has learned to predict
is no longer new.
"""

import time
from itertools import pairwise

import numpy as np
import pandas as pd
import torch

from minset.files import read_checkpoint, write_checkpoint
from minset.select.candidates import Candidates, standardised

DEFAULTS = {
    "hidden": [64, 64],
    "outputs": 32,
    "learning_rate": 3e-3,
    "max_steps": 200,
    "tolerance": 1e-4,
    "first_pick": "farthest",
    "metric": "euclidean",
    "picks_per_training": 1,
}
METRICS = {
    "euclidean": lambda f, g: (f - g).norm(dim=1),
    "cosine": lambda f, g: 1 - torch.nn.functional.cosine_similarity(f, g, dim=1),
}
COLUMNS = ["pick", "frame", "score", "training_steps", "training_loss"]
CHECKPOINT, CHECKPOINT_SECONDS = "rnd.pt", 5.0
ROWS = 32_768  # frames that go through the networks at a time


def select_rnd(candidates: Candidates, n: int, seed: int, options: dict) -> pd.DataFrame:
    """Pick ``n`` frames, each the most novel one left; a killed selection goes on.

    Parameters
    ----------
    candidates
        Their descriptors are standardised over the candidates first.
    seed
        Target, predictor and first pick each get their own seed derived from it.
    options
        ``hidden`` and ``outputs``: layers of both networks (ReLU). ``learning_rate``: of Adam.
        ``max_steps`` bounds the training after a pick; it ends earlier when the mean squared
        distance on the picks is below ``tolerance`` times the pool's at the start. ``first_pick``:
        ``farthest`` (as in the paper) or ``random``. ``metric``: how far f and g are apart, a key of
        ``METRICS``. ``picks_per_training``: with more than one, the most novel frames are taken
        together, but for those that are nearer to one of them, in the space of f, than g is wrong
        about them: the next training may teach g what they are.

    Returns
    -------
    pd.DataFrame
        ``pick``, ``frame``, ``score`` (novelty when picked), ``training_steps`` and ``training_loss``
        (mean squared distance on the picks) of the training that followed.
    """
    options = DEFAULTS | options
    seeds = np.random.SeedSequence(seed).generate_state(3)
    x = torch.from_numpy(standardised(candidates.descriptors))
    sizes = [x.shape[1], *options["hidden"], options["outputs"]]
    target, predictor = _network(sizes, seeds[0]), _network(sizes, seeds[1])
    distance = METRICS[options["metric"]]
    f = _outputs(target, x)  # once: f never changes
    g = _outputs(predictor, x)
    goal = options["tolerance"] * float((f - g).square().sum(dim=1).mean())
    optimizer = torch.optim.Adam(predictor.parameters(), lr=options["learning_rate"], fused=True)
    rows: list[tuple] = []
    parts = {"predictor": predictor, "optimizer": optimizer}
    if saved := read_checkpoint(candidates.work / CHECKPOINT, parts, "the selection"):
        rows += saved["rows"]
        g = _outputs(predictor, x)
        print(f"continuing after {len(rows)} picks", flush=True)
    novelty = distance(f, g)
    picks = [row[0] for row in rows]
    written = time.monotonic()
    while len(rows) < n:
        if not picks and options["first_pick"] == "random":
            new = [int(np.random.default_rng(seeds[2]).integers(len(x)))]
        else:
            free = novelty.clone()
            free[picks] = -torch.inf
            together = min(options["picks_per_training"], n - len(rows)) if picks else 1
            new = _most_novel(free, f, together)
        picks += new
        steps, loss = _train(predictor, optimizer, x[picks], f[picks], options["max_steps"], goal)
        rows += [(pick, float(novelty[pick]), steps, loss) for pick in new]
        novelty = distance(f, _outputs(predictor, x))
        if time.monotonic() - written > CHECKPOINT_SECONDS:
            written = time.monotonic()
            write_checkpoint(candidates.work / CHECKPOINT, {"rows": rows}, parts)
            print(f"{len(rows)} of {n} frames picked, {steps} steps to loss {loss:.2e}", flush=True)
    table = [(k, candidates.frames[row[0]], *row[1:]) for k, row in enumerate(rows)]
    return pd.DataFrame(table, columns=COLUMNS)


def _outputs(network: torch.nn.Module, x: torch.Tensor) -> torch.Tensor:
    """What a network makes of all frames, a part of them at a time."""
    with torch.no_grad():
        return torch.cat([network(part) for part in x.split(ROWS)])


def _most_novel(free: torch.Tensor, f: torch.Tensor, count: int) -> list[int]:
    """Up to ``count`` frames in the order of their novelty, none near another."""
    chosen: list[int] = []
    for candidate in torch.topk(free, min(len(free), 20 * count)).indices.tolist():
        apart = (f[chosen] - f[candidate]).norm(dim=1)
        if bool((apart > free[candidate]).all()) and free[candidate] > -torch.inf:
            chosen.append(candidate)
        if len(chosen) == count:
            break
    return chosen


def _network(sizes: list[int], seed: int) -> torch.nn.Sequential:
    with torch.random.fork_rng():
        torch.manual_seed(int(seed))
        layers = []
        for inputs, outputs in pairwise(sizes):
            layers += [torch.nn.Linear(inputs, outputs), torch.nn.ReLU()]
        return torch.nn.Sequential(*layers[:-1])


def _train(predictor, optimizer, x, f, max_steps: int, goal: float) -> tuple[int, float]:
    """Train the predictor on the picks; return the steps taken and the loss reached."""
    for step in range(max_steps + 1):
        loss = (predictor(x) - f).square().sum(dim=1).mean()
        value = float(loss.detach())
        if value <= goal or step == max_steps:
            break
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return step, value
