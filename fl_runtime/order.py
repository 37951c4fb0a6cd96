"""The order in which the steps of a round may be followed."""

import heapq
from collections.abc import Iterable

from fl_runtime.schedule import Step


def in_order(steps: Iterable[Step]) -> tuple[Step, ...]:
    """Return the steps in an order that respects ``after``; among free ones the first written comes first."""
    steps = tuple(steps)
    position = {step.id: index for index, step in enumerate(steps)}
    waiting = [len(set(step.after)) for step in steps]
    followers: dict[str, list[int]] = {step.id: [] for step in steps}
    for index, step in enumerate(steps):
        for earlier in set(step.after):
            if earlier not in position:
                raise ValueError(f"step {step.id!r} comes after {earlier!r}, which is no step of its round")
            followers[earlier].append(index)
    free = [index for index, count in enumerate(waiting) if count == 0]
    ordered: list[Step] = []
    while free:
        step = steps[heapq.heappop(free)]
        ordered.append(step)
        for index in followers[step.id]:
            waiting[index] -= 1
            if waiting[index] == 0:
                heapq.heappush(free, index)
    if len(ordered) < len(steps):
        stuck = sorted(set(position) - {step.id for step in ordered})
        raise ValueError(f"steps wait for each other in a circle: {', '.join(stuck)}")
    return tuple(ordered)
