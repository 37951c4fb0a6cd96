"""The steps of a living round as they were: without those that did not take place, with what they carried."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from fl_runtime.living.flow import Flow, step_modules
from fl_runtime.living.round_sets import has
from fl_runtime.schedule import Aggregate, Deliver, Merge, Mix, RoundKind, Step, Transfer

Names = tuple[str, ...]


def kind_as_it_was(flow: Flow, row: int) -> RoundKind:
    """Return the kind of a round with the steps that moved updates and models and arrived, in list order."""
    steps = steps_as_they_were(flow, row, range(len(flow.kind.steps)))
    return replace(flow.kind, steps=tuple(step for step, arrived in steps if arrived))


def steps_as_they_were(flow: Flow, row: int, order: Sequence[int]) -> Iterator[tuple[Step, bool]]:
    """Yield the steps that moved updates and models in a round, and whether they arrived."""
    for position in order:
        step = flow.kind.steps[position]
        if not has(flow.takes_place[position], row):
            continue
        match step:
            case Transfer() if step.content != "activation":
                names = _carried(flow, row, position)
                precision = {name: bits for name, bits in step.precision_bits.items() if name in names}
                changed = replace(step, after=(), modules=names, precision_bits=precision)
                yield changed, has(flow.arrived[position], row)
            case Merge():
                yield replace(step, after=(), modules=_carried(flow, row, position)), True
            case Aggregate():
                yield from ((each, True) for each in _averages(flow, row, position, step))
            case Deliver():
                yield from ((each, True) for each in _deliveries(flow, row, position, step))
            case Mix():
                yield from ((each, True) for each in _mixings(flow, row, position, step))
            case _:
                pass


def _carried(flow: Flow, row: int, position: int) -> Names:
    modules = step_modules(flow.kind.steps[position])
    return tuple(
        name for name, (some, _) in zip(modules, flow.carried[position], strict=True) if has(some, row)
    )


def _averages(flow: Flow, row: int, position: int, step: Aggregate) -> Iterator[Step]:
    """Yield the average of what has weight, and the merge of what has none."""
    heavy = {
        name
        for name, (_, rounds) in zip(step.modules, flow.carried[position], strict=True)
        if has(rounds, row)
    }
    carried = _carried(flow, row, position)
    averaged = tuple(name for name in carried if name in heavy)
    merged = tuple(name for name in carried if name not in heavy)
    if averaged:
        yield replace(step, after=(), modules=averaged)
    if merged:
        yield Merge(id=f"{step.id}/without weight", node=step.node, modules=merged)


def _deliveries(flow: Flow, row: int, position: int, step: Deliver) -> Iterator[Step]:
    """Yield a delivery for each set of modules that reached some nodes together."""
    nodes_of: dict[Names, list[str]] = {}
    for name, reached in zip(step.nodes, flow.reached[position], strict=True):
        modules = tuple(
            module for module, rounds in zip(step.modules, reached, strict=True) if has(rounds, row)
        )
        if modules:
            nodes_of.setdefault(modules, []).append(name)
    for modules, nodes in nodes_of.items():
        yield replace(
            step, id=f"{step.id}/{'+'.join(modules)}", after=(), nodes=tuple(nodes), modules=modules
        )


def _mixings(flow: Flow, row: int, position: int, step: Mix) -> Iterator[Step]:
    """Yield the consensus of each module among the nodes that are there.

    A pair of which one lacks what the other sent keeps what it would have given each other: both diagonal
    entries take the weight, so that a symmetric matrix stays doubly stochastic.
    """
    for column, module in enumerate(step.modules):
        there = [has(reached[column], row) for reached in flow.reached[position]]
        weights = np.array(step.weights)
        for first, second in _apart(flow, row, position, step, module, there):
            for one, other in ((first, second), (second, first)):
                weights[one, one] += weights[one, other]
                weights[one, other] = 0.0
        kept = np.flatnonzero(there)
        if len(kept):
            matrix = tuple(tuple(line) for line in weights[np.ix_(kept, kept)].tolist())
            nodes = tuple(step.nodes[place] for place in kept)
            yield replace(
                step, id=f"{step.id}/{module}", after=(), nodes=nodes, modules=(module,), weights=matrix
            )


def _apart(
    flow: Flow, row: int, position: int, step: Mix, module: str, there: Sequence[bool]
) -> Iterator[tuple[int, int]]:
    """Yield the pairs of places that do not mix: one is not there, or lacks what the other sent."""
    place_of = {name: place for place, name in enumerate(step.nodes)}
    failed = set()
    for earlier, each in enumerate(flow.kind.steps[:position]):
        if not isinstance(each, Transfer) or each.content == "activation" or module not in each.modules:
            continue
        if each.source in place_of and each.target in place_of:
            some, _ = flow.carried[earlier][each.modules.index(module)]
            if not has(flow.arrived[earlier] & some, row):
                first, second = sorted((place_of[each.source], place_of[each.target]))
                failed.add((first, second))
    for first in range(len(there)):
        for second in range(first + 1, len(there)):
            if not (there[first] and there[second]) or (first, second) in failed:
                yield first, second
