"""Compiled loops of allocation: each device by itself, so that small cells need no arrays in between.

They are imported only where :func:`solvers.common.compiled.has_compiler` says that numba is there, and
compute what the numpy files beside this folder do.
"""
