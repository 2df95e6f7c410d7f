"""Molecular dynamics in LAMMPS with any force engine: session, runs, melts, trajectories."""
