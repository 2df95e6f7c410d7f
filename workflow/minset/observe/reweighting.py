r"""Means at the level of the labels from frames of a model's own simulation.

Frames that the model's dynamics visit have the Boltzmann weights of the model. With

.. math:: w_k \propto \exp[-(E_{label}(k) - E_{model}(k)) / kT]

they have those of the labels (Zwanzig, J. Chem. Phys. 22, 1420 (1954); as a means of sampling Torrie and
Valleau, J. Comput. Phys. 23, 187 (1977)). At constant pressure p V is the same for both and cancels. A
constant in the energies cancels too.
"""

import numpy as np

from minset.units import BOLTZMANN_EV_K

RESAMPLES = 2000
SEED = 1  # of the resamples: the same frames give the same intervals


def weights_of(energy_difference_eV: np.ndarray, temperature_K: float) -> np.ndarray:
    """Weights of frames, with the sum 1.

    Parameters
    ----------
    energy_difference_eV
        Label less model, of whole frames, shape (M,) or (..., M).
    temperature_K
        Of the simulation.
    """
    reduced = np.asarray(energy_difference_eV, float) / (BOLTZMANN_EV_K * temperature_K)
    weights = np.exp(reduced.min(axis=-1, keepdims=True) - reduced)
    return weights / weights.sum(axis=-1, keepdims=True)


def effective_frames(weights: np.ndarray) -> float:
    """Frames of equal weight that would tell as much, 1 / sum w^2 (Kish 1965), of weights (M,)."""
    return float(1 / np.square(weights).sum())


def model_less_labels(
    energy_difference_eV: np.ndarray,
    temperature_K: float,
    model: np.ndarray,
    labels: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    r"""How far the model's mean of a quantity is from that of the labels, and resamples of it.

    .. math:: d = \frac{1}{M} \sum_k A_{model}(k) - \sum_k w_k A_{label}(k)

    The mean of a long run less d is the mean at the labels' level: what frames and run have in common
    does not count twice.

    Parameters
    ----------
    energy_difference_eV, temperature_K
        As in `weights_of`, shape (M,).
    model, labels
        The quantity of each frame by the model and by the labels, shape (M,) or (M, bins); the same
        array for one that positions and cell decide.

    Returns
    -------
    difference, resampled
        Shapes () and (RESAMPLES,), or (bins,) and (RESAMPLES, bins): with the frames drawn again, with
        replacement.
    """
    own = weights_of(energy_difference_eV, temperature_K)
    difference = model.mean(axis=0) - own @ labels
    frames = len(model)
    drawn = np.random.default_rng(SEED).integers(0, frames, (RESAMPLES, frames))
    resampled_weights = weights_of(energy_difference_eV[drawn], temperature_K)
    # how often each frame counts, instead of all its values again
    of_model, of_labels = np.zeros((2, RESAMPLES, frames))
    rows = np.arange(RESAMPLES)[:, None]
    np.add.at(of_model, (rows, drawn), 1 / frames)
    np.add.at(of_labels, (rows, drawn), resampled_weights)
    return difference, of_model @ model - of_labels @ labels


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
