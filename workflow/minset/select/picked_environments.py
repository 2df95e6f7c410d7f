"""Kernel sums over the environments of picked frames, for selector ``entropy_gain``."""

import numpy as np
from quests.entropy import kernel_sum

AT_ONCE = 8  # atoms of a frame that learn of new picks together


class Picked:
    """Environments of picked frames by species, in the order of the picks.

    Parameters
    ----------
    bandwidth
        h of the kernel K(x, y) = exp(-|x - y|^2 / (2 h^2)), in units of the environments.
    """

    def __init__(self, bandwidth: float):
        self.bandwidth, self.count = bandwidth, 0
        self._environments: dict[int, np.ndarray] = {}
        self._ends: dict[int, list[int]] = {}  # of each number of picks

    def add(self, x: dict[int, np.ndarray]) -> None:
        """Append a frame's, shape (atoms, columns) of each species."""
        for z, own in x.items():
            there = self._environments.get(z, own[:0])
            self._environments[z] = np.concatenate([there, own])
            self._ends.setdefault(z, [0] * (self.count + 1))
        self.count += 1
        for z, ends in self._ends.items():
            ends.append(len(self._environments[z]))

    def sums(self, z: int, x: np.ndarray, since: int = 0) -> np.ndarray:
        """Sum of K(x, y) over the environments y of a species in the picks since one, shape (len(x),)."""
        if z not in self._ends:
            return np.zeros(len(x))
        y = self._environments[z][self._ends[z][since] :]
        return kernel_sum(x, y, self.bandwidth) if len(y) else np.zeros(len(x))


def entropy(x: list[np.ndarray], bandwidth: float) -> float:
    """H of a frame, -mean_i ln [sum_j K(x_i, x_j) / N] in nats, from its environments by species."""
    sums = np.concatenate([kernel_sum(own, own, bandwidth) for own in x])
    return float(-np.log(sums / len(sums)).mean())


def look_again(x, numbers, sums, known, picked: Picked) -> None:
    """Let the newest atom of a frame, and some that may follow it, know of all picks.

    Sums only grow, so an atom with a larger one cannot become the newest before: the others wait.

    Parameters
    ----------
    x, numbers
        Environments of the frame's atoms, shape (atoms, columns), and their species, (atoms,).
    sums, known
        Their kernel sums and the picks that these know of, shape (atoms,); both are brought up to date.
    picked
        All picks.
    """
    newest = sums.argmin()
    since = known[newest]
    alike = np.flatnonzero((numbers == numbers[newest]) & (known == since))
    atoms = alike[np.argsort(sums[alike])[:AT_ONCE]]
    sums[atoms] += picked.sums(numbers[newest], x[atoms], since)
    known[atoms] = picked.count
