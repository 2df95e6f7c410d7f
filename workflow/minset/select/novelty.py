"""Picks of selector ``rnd``, see ``minset.select.rnd``: f is the target network, g the predictor."""

import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from minset.files import read_checkpoint, write_checkpoint
from minset.select.candidates import Candidates, read_atoms, standardised
from minset.select.distillation import Network, outputs, random_network, train

METRICS = {
    "euclidean": lambda f, g: (f - g).norm(dim=-1),
    "cosine": lambda f, g: 1 - torch.nn.functional.cosine_similarity(f, g, dim=-1),
}
COLUMNS = ["pick", "frame", "score", "training_steps", "training_loss"]
CHECKPOINT, CHECKPOINT_SECONDS = "rnd.pt", 5.0
TARGETS = "targets.npy"
ROWS = 32_768  # descriptors that go through the networks at a time
BATCH = 1024  # descriptors in a training step
SHORTLIST = 1024  # most novel frames, followed from pick to pick
REFRESH = 8  # trainings after which all frames are looked at again

# Rows of some candidates, by their numbers: shape (candidates, rows of each, values)
Reader = Callable[[np.ndarray], torch.Tensor]


def novel_frames(candidates: Candidates, n: int, seed: int, options: dict) -> pd.DataFrame:
    """Pick ``n`` frames, each the most novel one left; a killed selection goes on.

    All candidates pass through g after every ``REFRESH`` trainings. In between only the ``SHORTLIST``
    most novel do, unless all of these have become less novel than the best of the others was.

    Parameters and result are those of ``minset.select.rnd.select_rnd``.
    """
    torch.set_num_threads(candidates.threads)
    seeds = np.random.SeedSequence(seed).generate_state(3).tolist()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    m, distance = len(candidates.frames), METRICS[options["metric"]]
    x_of, real = _descriptors(candidates, options["atoms"], device)
    rows, width = x_of(np.arange(1)).shape[1:]
    blocks = np.array_split(np.arange(m), max(1, m * rows // ROWS))
    sizes = [width, *options["hidden"], options["outputs"]]
    predictor = random_network(sizes, seeds[1], device)
    f_of, apart = _targets(
        x_of,
        real,
        random_network(sizes, seeds[0], device),
        predictor,
        blocks,
        candidates.work / TARGETS,
    )
    goal = options["tolerance"] * apart
    picked: list[tuple] = []
    if saved := read_checkpoint(candidates.work / CHECKPOINT, {}, "the selection"):
        picked, predictor = saved["picked"], _restored(saved["predictor"], device)
        print(f"continuing after {len(picked)} picks", flush=True)
    written = time.monotonic()
    while len(picked) < n:
        if picked and time.monotonic() - written > CHECKPOINT_SECONDS:
            written = time.monotonic()
            state = {"picked": picked, "predictor": asdict(predictor)}
            write_checkpoint(candidates.work / CHECKPOINT, state, {})
            print(f"{len(picked)} of {n} frames picked, loss {picked[-1][-1]:.2e}", flush=True)
        # in place: kept apart, the small parts would pin the memory between them, GBs in large pools
        novelty = torch.empty(m)
        for block in blocks:
            part = _novelty(predictor, x_of(block), f_of(block), distance)[0]
            novelty[block[0] : block[-1] + 1] = part
        novelty[[pick[0] for pick in picked]] = -torch.inf
        best = torch.topk(novelty, min(SHORTLIST + 1, m))
        followed = best.indices[:SHORTLIST].sort().values.numpy()
        others = float(best.values[SHORTLIST]) if m > SHORTLIST else -torch.inf
        x, f = x_of(followed), f_of(followed)
        for _ in range(REFRESH):
            novelty, f_novel = _novelty(predictor, x, f, distance)
            novelty[np.isin(followed, [pick[0] for pick in picked])] = -torch.inf
            if len(picked) == n or float(novelty.max()) < others:
                break
            together = min(options["picks_per_training"], n - len(picked)) if picked else 1
            new = _most_novel(novelty, f_novel, together)
            known = np.array([pick[0] for pick in picked] + followed[new].tolist())
            steps, loss = train(
                predictor,
                x_of(known)[real[known]],
                f_of(known)[real[known]],
                learning_rate=options["learning_rate"],
                max_steps=options["max_steps"],
                goal=goal,
                batch=BATCH,
                seed=seeds[2] + len(picked),
            )
            picked += [(int(followed[k]), float(novelty[k]), steps, loss) for k in new]
    table = [(k, candidates.frames[pick[0]], *pick[1:]) for k, pick in enumerate(picked)]
    return pd.DataFrame(table, columns=COLUMNS)


def _descriptors(
    candidates: Candidates, atoms: bool, device: torch.device
) -> tuple[Reader, torch.Tensor]:
    """Standardised descriptors of candidates, and which of their rows are no padding, (m, rows)."""
    if atoms:
        read, real = read_atoms(candidates)
        return lambda chosen: torch.from_numpy(read(chosen)).to(device), torch.from_numpy(real)
    x = torch.from_numpy(standardised(candidates.descriptors))[:, None].to(device)
    return lambda chosen: x[chosen], torch.ones(len(x), 1, dtype=torch.bool)


def _targets(
    x_of: Reader,
    real: torch.Tensor,
    target: Network,
    predictor: Network,
    blocks: list[np.ndarray],
    path: Path,
) -> tuple[Reader, float]:
    """Outputs of f for all candidates, kept in a file, and how far g is from them on average.

    The average is that of the squared distance over all rows that are no padding.
    """
    first = x_of(blocks[0][:1])
    shape = (sum(map(len, blocks)), first.shape[1], target.sizes[-1])
    file = np.lib.format.open_memmap(path, "w+", np.float32, shape)
    square = 0.0
    for block in blocks:
        x = x_of(block)
        f = outputs(target, x)
        square += float((f - outputs(predictor, x))[real[block]].square().sum())
        file[block[0] : block[-1] + 1] = f.cpu().numpy()
    file.flush()

    def f_of(chosen: np.ndarray) -> torch.Tensor:
        # opened each time: pages of the file then never count as this process's memory for long
        return torch.from_numpy(np.load(path, mmap_mode="r")[chosen]).to(first.device)

    return f_of, square / int(real.sum())


def _novelty(
    predictor: Network, x: torch.Tensor, f: torch.Tensor, distance: Callable
) -> tuple[torch.Tensor, torch.Tensor]:
    """Distance of g from f at the worst row of each frame, shape (frames,), and f there."""
    largest = distance(f, outputs(predictor, x)).max(dim=1)
    return largest.values.cpu(), f[torch.arange(len(f)), largest.indices].cpu()


def _most_novel(novelty: torch.Tensor, f: torch.Tensor, count: int) -> list[int]:
    """Up to ``count`` frames in the order of their novelty, none near another."""
    chosen: list[int] = []
    for candidate in torch.topk(novelty, min(len(novelty), 20 * count)).indices.tolist():
        apart = (f[chosen] - f[candidate]).norm(dim=1)
        if bool((apart > novelty[candidate]).all()) and novelty[candidate] > -torch.inf:
            chosen.append(candidate)
        if len(chosen) == count:
            break
    return chosen


def _restored(saved: dict, device: torch.device) -> Network:
    return Network(**{k: v.to(device) if torch.is_tensor(v) else v for k, v in saved.items()})
