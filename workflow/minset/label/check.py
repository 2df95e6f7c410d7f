"""What a label must fulfil before it is stored."""

import numpy as np

from minset.label.store import LabelFailed, RawLabel

# stresses are symmetric up to the grid noise of the labeler
_ASYMMETRY_REL = 1e-3
_ASYMMETRY_EV_A3 = 1e-5


def net_force_eV_A(forces_eV_A: np.ndarray) -> float:
    """Norm of the vector sum of the forces (n, 3) on a cell, in eV/A; exactly 0 in nature."""
    return float(np.linalg.norm(np.sum(forces_eV_A, axis=0)))


def check_label(raw: RawLabel, n_atoms: int, net_force_gate_eV_A: float) -> None:
    """See that a label is whole, finite and within the gate.

    Parameters
    ----------
    raw
        Label to check.
    n_atoms
        Number of atoms of the frame.
    net_force_gate_eV_A
        Largest net force accepted, eV/A; it exposes grid noise.

    Raises
    ------
    LabelFailed
        Permanent, if it is not.
    """
    forces = np.asarray(raw.forces_eV_A)
    # a labeler without stress passes as one whose stress is 0
    stress = np.zeros((3, 3)) if raw.stress_eV_A3 is None else np.asarray(raw.stress_eV_A3)
    if forces.shape != (n_atoms, 3):
        raise LabelFailed(f"forces of shape {forces.shape} for {n_atoms} atoms", permanent=True)
    if stress.shape != (3, 3):
        raise LabelFailed(f"stress of shape {stress.shape} instead of (3, 3)", permanent=True)
    for name, value in (("energy", raw.energy_eV), ("forces", forces), ("stress", stress)):
        if not np.isfinite(value).all():
            raise LabelFailed(f"{name} with values that are not finite", permanent=True)
    asymmetry = np.abs(stress - stress.T).max()
    if asymmetry > _ASYMMETRY_EV_A3 + _ASYMMETRY_REL * np.abs(stress).max():
        raise LabelFailed(f"stress not symmetric by {asymmetry:.1e} eV/A^3", permanent=True)
    net = net_force_eV_A(forces)
    if net > net_force_gate_eV_A:
        raise LabelFailed(above_gate(net, net_force_gate_eV_A), permanent=True)


def above_gate(net: float, gate: float) -> str:
    """Reason why a label with a net force above the gate is none (eV/A)."""
    return f"net force on the cell {net:.2e} eV/A is above the gate of {gate:.2e} eV/A"
