"""Placement, relaying and allocation as mathematics over numpy arrays.

Each subpackage holds one problem: ``problem.py`` states it, ``solve.py`` is its front door, and one
file per method solves it.  Nothing here knows of federated learning, so that any system can embed it::

    from solvers.allocation import AllocationProblem, solve
"""
