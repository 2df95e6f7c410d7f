"""Labels: energy, forces and stress of a frame from a DFT code, a potential or the user.

A new labeler is one module with a ``RECORD``, and one line here.
"""

from minset.label import cp2k, given, potential

LABELERS = {
    "cp2k": cp2k.RECORD,
    "given": given.RECORD,
    "potential": potential.RECORD,
}
