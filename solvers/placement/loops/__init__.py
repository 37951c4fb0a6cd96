"""Compiled loops of the Lagrangian method: node by node for the bound, move by move for placements.

Without numba they run as plain Python with the same answer, some hundred times slower.
"""
