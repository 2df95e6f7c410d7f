"""Labels: energy, forces and stress of a frame from a DFT code, a potential or the user.

A new labeler is one module with a ``RECORD``, and one line here.
"""

from minset.label import calculator, cp2k, given, potential

LABELERS = {
    "ase": calculator.RECORD,
    "cp2k": cp2k.RECORD,
    "given": given.RECORD,
    "potential": potential.RECORD,
}
