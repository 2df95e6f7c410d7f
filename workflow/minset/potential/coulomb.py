"""Point charges screened by the electrons: what of ionic matter reaches beyond any model's cutoff.

U = sum_(i<j) q_i q_j / (4 pi eps0 eps_inf r_ij), with the charges of the system's species, by P3M.
eps_inf is the permittivity of the electrons alone: between distant ions it is what they leave of formal
charges. No potential to run MD with, for nothing keeps ions apart; one to put below a model
(``baseline``), which then learns the rest.
"""

from minset.potential.record import Potential

# fastest at equal accuracy; molten KCl: within 0.0003 eV/A, 7 bar and 0.06 meV/atom of the exact sum
CUTOFF_A = 9.0
KSPACE_ACCURACY = 5e-5
FINE_ACCURACY = 1e-6  # forces within 3e-5 eV/A of the exact sum, at twice to three times the time

OPTIONS = {
    "eps_inf": {
        "type": "number",
        "minimum": 1,
        "default": 1.0,
        "description": "Relative permittivity of the electrons (high frequency), which divides the "
        "energies of the charges; 1 leaves them bare",
    },
}


def commands(system: dict) -> list[str]:
    """LAMMPS commands; the permittivity screens the charges, so that trajectories show them whole."""
    return [
        f"dielectric {system['potential']['eps_inf']}",
        f"pair_style coul/long {CUTOFF_A}",
        "pair_coeff * *",
        f"kspace_style pppm {system['potential'].get('accuracy', KSPACE_ACCURACY)}",
    ]


def finely(system: dict) -> dict:
    """The system with its charges summed finely, for force calls that are compared."""
    return system | {"potential": system["potential"] | {"accuracy": FINE_ACCURACY}}


RECORD = Potential(
    options=OPTIONS, commands=commands, finely=finely, needs_charges=True, whole=False
)
