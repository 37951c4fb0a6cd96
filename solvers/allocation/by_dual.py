"""The fast certified method: two prices a cell, closed forms a device, all cells in one call."""

from solvers.allocation.by_arrays import bracketed_answer, newton_answer
from solvers.allocation.judge import judge
from solvers.allocation.prepared import Prepared, of_cells
from solvers.allocation.solution import Proposal, merged, picked, relative_gaps
from solvers.common.compiled import has_compiler
from solvers.common.options import Options

_TIGHT = 1e-10
"""Relative gap above which brackets are used."""


def by_dual(prepared: Prepared, options: Options) -> Proposal:
    """Return the optimum with the prices that prove it.

    Newton's method finds the bandwidth price mu and the deadline T at which the band is used up and the
    deadline prices sum to the price of time; given these two numbers each device's bandwidth, airtime, power
    and frequency follow from one scalar root.  With numba the loops are compiled, without it all cells go
    through arrays together.
    """
    if not has_compiler():
        return newton_answer(prepared)
    from solvers.allocation.loops.run import balanced_cells

    proposal, found = balanced_cells(prepared.problem, options.threads)
    if found.all():
        return proposal
    return merged(proposal, bracketed_answer(of_cells(prepared, ~found)), prepared.problem, ~found)


def by_brackets(prepared: Prepared, options: Options) -> Proposal:
    """Return what :func:`by_dual` does, with a thorough balance, and by brackets where that is not found.

    These cannot miss the balance as Newton's method may.
    """
    if not has_compiler():
        return bracketed_answer(prepared)
    from solvers.allocation.loops.run import balanced_cells

    proposal, found = balanced_cells(prepared.problem, options.threads, thorough=True)
    weak = ~found
    if found.any():
        verdict = judge(of_cells(prepared, found), picked(proposal, prepared.problem, found))
        weak[found] = relative_gaps(verdict.objective, verdict.bound) > _TIGHT
    if not weak.any():
        return proposal
    return merged(proposal, bracketed_answer(of_cells(prepared, weak)), prepared.problem, weak)
