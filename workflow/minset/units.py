"""The one module that converts units.

Inside the library energies are in eV, lengths in A, forces in eV/A and stresses in eV/A^3
(ASE's units; a positive stress is tension). Tables use ps, K, bar, g/cm^3, 1e-9 m^2/s and S/cm,
with the unit in the column name.
"""

from ase import units as _ase

HARTREE_EV = _ase.Hartree
BOHR_A = _ase.Bohr
HARTREE_BOHR_EV_A = HARTREE_EV / BOHR_A
GPA_EV_A3 = _ase.GPa
KJ_MOL_EV = _ase.kJ / _ase.mol
BAR_EV_A3 = 1e5 * _ase.Pascal
BOLTZMANN_EV_K = _ase.kB
# u/A^3 in g/cm^3
U_A3_G_CM3 = _ase._amu * 1e3 / 1e-24
# gas constant of the diffusion fits, cal/mol/K
R_CAL_MOL_K = 1.987204


def density_g_cm3(mass_u: float, volume_A3: float) -> float:
    """Mass density in g/cm^3 of a mass in u and a volume in A^3."""
    return mass_u * U_A3_G_CM3 / volume_A3


def volume_A3(mass_u: float, density_g_cm3: float) -> float:
    """Volume in A^3 that gives a mass in u the density in g/cm^3."""
    return mass_u * U_A3_G_CM3 / density_g_cm3
