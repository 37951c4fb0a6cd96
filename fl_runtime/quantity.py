"""Devices that hold unequal amounts of data: a schedule with the numbers of samples that a seed draws."""

from collections.abc import Mapping
from dataclasses import replace

from fl_runtime.schedule import Schedule
from fl_runtime.tasks.partition import draw_quantity


def with_drawn_quantities(schedule: Schedule, seed: int) -> Schedule:
    """Return the schedule with drawn samples in its routes, and with weights of replicas to match.

    A replica's weight is multiplied by the samples that are drawn for the routes that use it, over those
    that the routes said.  Nothing changes without ``quantity_skew``.  What a step costs does not change
    either: a device makes as many optimiser steps with few samples as with many.
    """
    skew = schedule.training.quantity_skew
    if skew is None:
        return schedule
    routes = tuple(
        replace(route, samples=draw_quantity(route.samples, skew, seed, (route.device, route.task)))
        for route in schedule.routes
    )
    said: dict[tuple[str, str], int] = {}
    drawn: dict[tuple[str, str], int] = {}
    for before, after in zip(schedule.routes, routes, strict=True):
        for key in before.hosts.items():
            said[key] = said.get(key, 0) + before.samples
            drawn[key] = drawn.get(key, 0) + after.samples
    replicas = tuple(
        replace(replica, weight=_scaled(replica.weight, (replica.module, replica.host), said, drawn))
        for replica in schedule.replicas
    )
    return replace(
        schedule, routes=routes, replicas=replicas, training=replace(schedule.training, quantity_skew=None)
    )


def _scaled(
    weight: float,
    replica: tuple[str, str],
    said: Mapping[tuple[str, str], int],
    drawn: Mapping[tuple[str, str], int],
) -> float:
    return weight * drawn[replica] / said[replica] if said.get(replica) else weight
