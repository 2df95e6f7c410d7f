"""Labels: energy, forces and stress of a frame from CP2K or from a potential.

A new labeler is one module with a ``RECORD``, and one line here.
"""

from minset.label import cp2k, potential

LABELERS = {
    "cp2k": cp2k.RECORD,
    "potential": potential.RECORD,
}
