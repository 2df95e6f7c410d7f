"""Selector ``rnd``: random network distillation (Finkbeiner, Tovey, Holm, PRL 132, 167301, 2024).

A target network f and a predictor g map descriptors to a small space. The frame where they differ
most is picked, g is trained towards f on all picks so far, and so on: what g has learned to predict
is no longer new.
"""

from itertools import pairwise

import numpy as np
import pandas as pd
import torch

from minset.select.candidates import Candidates

DEFAULTS = {
    "hidden": [64, 64],
    "outputs": 32,
    "learning_rate": 3e-3,
    "max_steps": 200,
    "tolerance": 1e-4,
    "first_pick": "farthest",
}


def select_rnd(candidates: Candidates, n: int, seed: int, options: dict) -> pd.DataFrame:
    """Pick ``n`` frames, each the most novel one left.

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
        ``farthest`` (as in the paper) or ``random``.

    Returns
    -------
    pd.DataFrame
        ``pick``, ``frame``, ``score`` (novelty |f - g| when picked), ``training_steps`` and
        ``training_loss`` (mean squared distance on the picks after training).
    """
    options = DEFAULTS | options
    seeds = np.random.SeedSequence(seed).generate_state(3)
    x = _standardised(candidates.descriptors)
    sizes = [x.shape[1], *options["hidden"], options["outputs"]]
    target, predictor = _network(sizes, seeds[0]), _network(sizes, seeds[1])
    with torch.no_grad():
        f = target(x)  # once: f never changes
        novelty = (f - predictor(x)).norm(dim=1)
    goal = options["tolerance"] * float(novelty.square().mean())
    optimizer = torch.optim.Adam(predictor.parameters(), lr=options["learning_rate"])
    free = torch.ones(len(x), dtype=torch.bool)
    picks, rows = [], []
    if options["first_pick"] == "random":
        first = np.random.default_rng(seeds[2]).integers(len(x))
    else:
        first = int(novelty.argmax())
    for k in range(n):
        pick = int(torch.where(free, novelty, -torch.inf).argmax()) if k else int(first)
        free[pick] = False
        picks.append(pick)
        score = float(novelty[pick])
        steps, loss = _train(predictor, optimizer, x[picks], f[picks], options["max_steps"], goal)
        with torch.no_grad():
            novelty = (f - predictor(x)).norm(dim=1)
        rows.append((k, candidates.frames[pick], score, steps, loss))
        print(
            f"pick {k + 1}: frame {candidates.frames[pick]}, novelty {score:.4f}, "
            f"{steps} steps to loss {loss:.2e}",
            flush=True,
        )
    columns = ["pick", "frame", "score", "training_steps", "training_loss"]
    return pd.DataFrame(rows, columns=columns)


def _standardised(descriptors: np.ndarray) -> torch.Tensor:
    """Zero mean and unit variance per column; constant columns become zero."""
    x = np.asarray(descriptors, dtype=np.float64)
    spread = x.std(axis=0)
    constant = spread <= 1e-12 * np.abs(x).max(initial=1.0)
    x = (x - x.mean(axis=0)) / np.where(constant, 1.0, spread)
    return torch.as_tensor(np.where(constant, 0.0, x), dtype=torch.float32)


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
