"""SchNet: the network, its training, and force calls with tabulated filters."""
