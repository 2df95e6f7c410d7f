"""minset: minimal training sets for machine-learned potentials, and the proof that they are enough."""

__version__ = "0.2.0"

import os

# Numba reads this when it is imported. Threads beyond the job's own would be woken by every compiled
# loop for nothing: with two jobs on two cores they made MD half as fast.
if "OMP_NUM_THREADS" in os.environ:
    os.environ.setdefault("NUMBA_NUM_THREADS", os.environ["OMP_NUM_THREADS"])
