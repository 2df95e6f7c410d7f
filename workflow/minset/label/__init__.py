"""Labels: energy, forces and stress of a frame from a DFT code, an ASE calculator or a potential.

A new labeler is one module with a ``RECORD``, and one line here.
"""

from minset.label import calculator, cp2k, espresso, potential, vasp

LABELERS = {
    "ase": calculator.RECORD,
    "cp2k": cp2k.RECORD,
    "espresso": espresso.RECORD,
    "potential": potential.RECORD,
    "vasp": vasp.RECORD,
}
