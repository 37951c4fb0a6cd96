"""Placement of large networks in arrays: below nodes of unlimited memory, cells share nothing but prices."""
