"""Distances from environments to the nearest ones of other sets, and distributions."""

import numpy as np
import pandas as pd

from minset.observe.coverage_sets import Environments

BINS = 60
EPSILON = 1e-4  # on squared distances, as in generator `entropy`


def nearest_distances(training: Environments, testing: Environments) -> np.ndarray:
    """Distance of each environment to the nearest one of the same species, shape (n,).

    Infinite for species that are not in the training set.
    """
    from scipy.spatial import cKDTree

    distances = np.full(len(testing.x), np.inf)
    for z in np.intersect1d(training.numbers, testing.numbers):
        own = testing.numbers == z
        distances[own] = cKDTree(training.x[training.numbers == z]).query(testing.x[own])[0]
    return distances


def drawn(
    training: Environments, testing: Environments, same: bool, counts: tuple[int, int], rng
) -> tuple[Environments, Environments]:
    """Environments of a split; of one set two parts that share none."""
    n, m = (min(count, len(of.x)) for count, of in zip(counts, (training, testing), strict=True))
    if same and n + m > len(training.x):
        n = 2 * len(training.x) // 3
        m = min(m, len(training.x) - n)
    first = rng.permutation(len(training.x))
    second = first[n:] if same else rng.permutation(len(testing.x))
    return _some(training, first[:n]), _some(testing, second[:m])


def _some(of: Environments, rows: np.ndarray) -> Environments:
    return Environments(*(part[rows] for part in of))


def distance_rows(
    training: str, testing: str, sets: dict[str, Environments], settings: dict
) -> tuple[dict, pd.DataFrame]:
    """Distances between two sets over repeated splits: their row, and their distribution."""
    counts = settings["training_environments"], settings["testing_environments"]
    rng = np.random.default_rng([settings["seed"], *map(ord, f"{training}/{testing}")])
    values, logs = [], []
    for _ in range(settings["splits"]):
        a, b = drawn(sets[training], sets[testing], training == testing, counts, rng)
        d = nearest_distances(a, b)
        values.append((d.mean(), np.median(d), d.max()))
        logs.append(np.log10(np.clip(d, 1e-3, 1e3)))
    row = {
        "training": training,
        "testing": testing,
        "training_environments": len(a.x),
        "testing_environments": len(b.x),
        "splits": settings["splits"],
    }
    for name, column in zip(("mean", "median", "maximum"), np.array(values).T, strict=True):
        low, high = np.quantile(column, [0.025, 0.975])
        row |= {name: column.mean(), f"{name}_low": low, f"{name}_high": high}
    edges = np.linspace(-3, 3, BINS + 1)
    density = np.histogram(np.concatenate(logs), edges, density=True)[0]
    return row, _distribution("log10 distance", training, testing, edges, density)


def component_rows(sets: dict[str, Environments]) -> pd.DataFrame:
    """Distributions of each component in each set, between common edges."""
    parts = []
    for k in range(next(iter(sets.values())).x.shape[1]):
        columns = {name: found.x[:, k] for name, found in sets.items()}
        ends = np.array([np.quantile(column, [0.001, 0.999]) for column in columns.values()])
        edges = np.linspace(ends.min(), ends.max(), BINS + 1)
        for name, column in columns.items():
            density = np.histogram(column, edges, density=True)[0]
            parts.append(_distribution(f"component {k + 1}", name, name, edges, density))
    return pd.concat(parts, ignore_index=True)


def _distribution(quantity, training, testing, edges, density) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "quantity": quantity,
            "training": training,
            "testing": testing,
            "value": (edges[1:] + edges[:-1]) / 2,
            "density": density,
        }
    )


def set_row(name: str, found: Environments) -> dict:
    """Row of a set: its size, and the entropy of its frames, eq. 2 of Karabin and Perez."""
    from minset.pool.entropy_kernels import entropy

    ones, values = np.ones(found.x.shape[1]), []
    for frame in np.unique(found.frames):
        x = found.x[found.frames == frame]
        if len(x) > 1:
            values.append(entropy(x, ones, EPSILON, np.empty_like(x)))
    return {
        "set": name,
        "frames": len(np.unique(found.frames)),
        "environments": len(found.x),
        "entropy": np.mean(values) if values else np.nan,
        "entropy_stddev": np.std(values) if values else np.nan,
    }
