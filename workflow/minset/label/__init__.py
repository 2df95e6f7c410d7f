"""Labels: energy, forces and stress from a DFT code, an ASE calculator, a potential or the user.

A new labeler is one module with a ``RECORD``, and one line here.
"""

from minset.label import calculator, cp2k, espresso, given, potential, vasp

LABELERS = {
    "ase": calculator.RECORD,
    "cp2k": cp2k.RECORD,
    "espresso": espresso.RECORD,
    "given": given.RECORD,
    "potential": potential.RECORD,
    "vasp": vasp.RECORD,
}
