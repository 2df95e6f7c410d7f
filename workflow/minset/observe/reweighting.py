r"""Means at the level of the labels, from a model's long run and labels of some of its frames.

Frames that the model's dynamics visit have the Boltzmann weights of the model. With

.. math:: w_k \propto \exp[-(E_{label}(k) - E_{model}(k)) / kT]

they have those of the labels (Zwanzig, J. Chem. Phys. 22, 1420 (1954); as a means of sampling Torrie and
Valleau, J. Comput. Phys. 23, 187 (1977)). At constant pressure p V is the same for both and cancels. A
constant in the energies cancels too.

Few frames know such a mean badly, above all since they know badly what the long run knows well: how
volume and energy are distributed. So it is done in two steps. The part of the energy difference that is
linear in both, m, is fitted to the labelled frames; the long run is reweighted by it, and the frames by
what is then missing:

.. math:: \langle A \rangle = \sum_t W_t A_{model}(t) + \sum_k w_k A_{label}(k) - \sum_k v_k A_{model}(k),
          \qquad W_t \propto e^{-m(t)}, \; v_k \propto e^{-m(k)}

For many frames the fit does not matter: whatever m is, what it changes in the first sum it changes in the
last. With m = 0 this is the mean of the run and a correction.
"""

from dataclasses import dataclass

import numpy as np

from minset.units import BOLTZMANN_EV_K

RESAMPLES = 2000
SEED = 1  # of the resamples: the same frames give the same intervals
SAMPLES = 1000  # of the long run that resamples look at
FEWEST = 8  # frames to which the linear part is fitted


@dataclass(frozen=True)
class Reweighting:
    """What takes a model's means to those of the labels.

    Attributes
    ----------
    reduced
        Energy of labels less model in kT of each labelled frame, shape (M,).
    frames, run
        What the linear part depends on, of the frames and of the long run at a constant interval, shapes
        (M, p) and (T, p); best of mean 0 and variance 1.
    """

    reduced: np.ndarray
    frames: np.ndarray
    run: np.ndarray


@dataclass(frozen=True)
class Mean:
    """A mean of the labels.

    Attributes
    ----------
    value
        Shape () or (bins,).
    run_series
        Series whose mean has the error that ``value`` has from the length of the run, shape (T,) or
        (T, bins).
    resampled
        Values with the labelled frames drawn again with replacement, (RESAMPLES,) or (RESAMPLES, bins).
    """

    value: np.ndarray
    run_series: np.ndarray
    resampled: np.ndarray


def weights_of(energy_difference_eV: np.ndarray, temperature_K: float) -> np.ndarray:
    """Weights of frames, with the sum 1.

    Parameters
    ----------
    energy_difference_eV
        Label less model, of whole frames, shape (M,).
    temperature_K
        Of the simulation.
    """
    return _boltzmann(np.asarray(energy_difference_eV) / (BOLTZMANN_EV_K * temperature_K))


def _boltzmann(reduced: np.ndarray, counts: np.ndarray | float = 1.0) -> np.ndarray:
    """Weights (..., n) from energies in kT, of samples that count so often."""
    weights = counts * np.exp(reduced.min(axis=-1, keepdims=True) - reduced)
    return weights / weights.sum(axis=-1, keepdims=True)


def effective_frames(weights: np.ndarray) -> float:
    """Frames of equal weight that would tell as much, 1 / sum w^2 (Kish 1965), of weights (M,)."""
    return float(1 / np.square(weights).sum())


def labels_mean(of: Reweighting, model: np.ndarray, labels: np.ndarray, run: np.ndarray) -> Mean:
    """Mean of a quantity at the labels' level, as above.

    Parameters
    ----------
    of
        Energies and samples.
    model, labels
        The quantity of each labelled frame by the model and by the labels, shape (M,) or (M, bins); the
        same for one that positions and cell decide.
    run
        That of the model along the run, shape (T,) or (T, bins).
    """
    frames = len(model)
    once = np.ones((1, frames))
    (value,) = _means(of.run, run, of, once, model, labels)
    (weights,) = _boltzmann(_slopes(of, once) @ of.run.T)
    deviation = run - weights @ run
    counted = weights * len(run)
    series = counted * deviation if run.ndim == 1 else counted[:, None] * deviation
    drawn = np.random.default_rng(SEED).integers(0, frames, (RESAMPLES, frames))
    counts = np.array([np.bincount(row, minlength=frames) for row in drawn], float)
    every = -(-len(run) // SAMPLES)
    resampled = _means(of.run[::every], run[::every], of, counts, model, labels)
    return Mean(value, series, resampled)


def _means(
    features: np.ndarray,
    run: np.ndarray,
    of: Reweighting,
    counts: np.ndarray,
    model: np.ndarray,
    labels: np.ndarray,
) -> np.ndarray:
    """Means with each frame counted so often, (R,) or (R, bins) for ``counts`` (R, M)."""
    slopes = _slopes(of, counts)
    full = _boltzmann(of.reduced, counts)
    linear = _boltzmann(slopes @ of.frames.T, counts)
    return _boltzmann(slopes @ features.T) @ run + full @ labels - linear @ model


def _slopes(of: Reweighting, counts: np.ndarray) -> np.ndarray:
    """Least-squares slopes (R, p) of the energy difference; 0 for fewer than ``FEWEST`` frames."""
    frames, p = of.frames.shape
    if frames < FEWEST:
        return np.zeros((len(counts), p))
    x = np.column_stack([np.ones(frames), of.frames])
    normal = np.einsum("rm,mi,mj->rij", counts, x, x) + 1e-9 * np.eye(p + 1)
    right = np.einsum("rm,mi,m->ri", counts, x, of.reduced - of.reduced.mean())
    return np.linalg.solve(normal, right[..., None])[:, 1:, 0]


def bootstrap(statistic, frames: int) -> np.ndarray:
    """Values of ``statistic(indices)`` for frames drawn again with replacement, shape (RESAMPLES,)."""
    rng = np.random.default_rng(SEED)
    return np.array([statistic(rng.integers(0, frames, frames)) for _ in range(RESAMPLES)])


def standard_error(resampled: np.ndarray, frames: float) -> float:
    """Standard error from resamples, such that twice of it reaches to the end of the 95 % interval.

    The standard deviation of the resamples times half of Student's t, which is above 1 for few frames.

    Parameters
    ----------
    resampled
        Shape (n,).
    frames
        Number of frames behind them; the effective number where they have weights.
    """
    from scipy.stats import t as student

    return float(resampled.std(ddof=1) * student.ppf(0.975, max(frames - 1, 1)) / 2)
