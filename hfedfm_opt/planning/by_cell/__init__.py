"""Placement of large networks, cell by cell in arrays: below nodes of unlimited memory cells share only prices."""
