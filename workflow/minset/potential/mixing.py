"""Mixing rules of Tosi-Fumi potentials: pairs of a mixture of salts from those of each salt.

Rule ``wang_2015``, as AL4GAP (Guo et al., J. Chem. Phys. 159, 024802, 2023) uses it for binary
mixtures of alkali halides, after Wang et al., J. Mol. Liq. 209, 498 (2015). With the mole fraction x_s
of each salt s:

- 1/rho = sum_s x_s / rho_s, one for all pairs;
- a pair that salts contain, like the common ion's, has the average of their A, sigma, C and D, weighted
  with their mole fractions;
- a pair that no salt contains, like the two cations', has the geometric mean of C and of D of the like
  pairs, and the arithmetic mean of their A and sigma. That is Tosi and Fumi's A = b (1 + z_i/n_i +
  z_j/n_j), with the Pauling factor, and sigma_i + sigma_j, the sum of the ionic radii.

C and D have their physical sign: positive attracts.
"""

import math

from minset.system import pair_names

RULES = ("wang_2015",)
_DECIMALS = 6  # as the tables of the salts have


def mixed_pairs(salts: dict[str, dict], fractions: dict[str, float]) -> dict[str, dict]:
    """Parameters of all pairs of a mixture, by rule ``wang_2015``.

    Parameters
    ----------
    salts
        Pairs of each salt, by its formula: ``A_eV``, ``rho_A``, ``sigma_A``, ``C_eV_A6``, ``D_eV_A8`` by
        names like ``K-Cl``.
    fractions
        Mole fraction of each salt, by its formula; they sum to 1.

    Returns
    -------
    dict
        The same parameters by pair, elements of a pair in alphabetical order.
    """
    parts = [(fractions[name], _sorted(salts[name])) for name in sorted(salts)]
    inverse_A = sum(x / _rho_A(pairs) for x, pairs in parts)
    species = sorted({symbol for _, pairs in parts for name in pairs for symbol in name.split("-")})
    shared = {name: _averaged(name, parts) for name in pair_names(species)}
    mixed = {
        name: found or _combined(*(shared[f"{symbol}-{symbol}"] for symbol in name.split("-")))
        for name, found in shared.items()
    }
    return {
        name: {key: round(v, _DECIMALS) for key, v in p.items()}
        | {"rho_A": round(1 / inverse_A, _DECIMALS)}
        for name, p in mixed.items()
    }


def _sorted(pairs: dict[str, dict]) -> dict[str, dict]:
    """Pairs under names with their elements in alphabetical order."""
    return {"-".join(sorted(name.split("-"))): p for name, p in pairs.items()}


def _rho_A(pairs: dict[str, dict]) -> float:
    """rho of a salt, the same for its pairs."""
    return next(iter(pairs.values()))["rho_A"]


def _averaged(name: str, parts: list) -> dict | None:
    """A pair's average over the salts that contain it, weighted with mole fractions."""
    have = [(x, pairs[name]) for x, pairs in parts if name in pairs]
    if not have:
        return None
    total = sum(x for x, _ in have)
    keys = ("A_eV", "sigma_A", "C_eV_A6", "D_eV_A8")
    return {key: sum(x * p[key] for x, p in have) / total for key in keys}


def _combined(one: dict, other: dict) -> dict:
    """A pair that no salt contains, from the two pairs of like ions."""
    return {key: (one[key] + other[key]) / 2 for key in ("A_eV", "sigma_A")} | {
        key: math.sqrt(one[key] * other[key]) for key in ("C_eV_A6", "D_eV_A8")
    }
