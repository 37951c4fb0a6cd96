"""Defects of split training: trained replicas that serve devices which nothing joins to them."""

import heapq
from collections.abc import Mapping
from dataclasses import dataclass, field

from fl_runtime.defects import Defects
from fl_runtime.schedule import RoundKind, Schedule, Transfer

Hops = Mapping[str, list[tuple[int, str]]]
"""By node: place in the list of steps and other end of each of its transfers."""


def check_split(schedule: Schedule, kind: RoundKind, defects: Defects) -> None:
    """Add the trainable modules that a device's route places elsewhere without a way there and back.

    In each kind of round, transfers of content ``activation`` that name the module must lead from the device
    to the host, and after that from the host to the device, in the order of the steps.  A module on the
    device itself needs none, nor does a device without samples.  Hosts without a replica are reported with
    the routes.

    Parameters
    ----------
    schedule : Schedule
        Whose routes count.
    kind : RoundKind
        The steps.
    defects : Defects
        Takes the lines.
    """
    links = _links_of(kind)
    for device, module, host in _splits(schedule):
        where = f"kind {kind.name!r}: module {module!r} of {device!r}"
        own = links.get(module, _Links())
        arrival = _first(own.outwards, device, host)
        departure = _first(own.inwards, device, host)  # the latest from the host that comes back in time
        if arrival is None:
            _add(where, "no transfer brings", (device, host), module, defects)
        elif departure is None or -departure <= arrival:
            _add(where, "no later transfer brings back", (host, device), module, defects)


@dataclass
class _Links:
    """Transfers of a module's activations, from their sources on, and from their targets back in time."""

    outwards: dict[str, list[tuple[int, str]]] = field(default_factory=dict)
    inwards: dict[str, list[tuple[int, str]]] = field(default_factory=dict)


def _links_of(kind: RoundKind) -> dict[str, _Links]:
    links: dict[str, _Links] = {}
    for place, step in enumerate(kind.steps, start=1):
        if not isinstance(step, Transfer) or step.content != "activation":
            continue
        for module in step.modules:
            own = links.setdefault(module, _Links())
            own.outwards.setdefault(step.source, []).append((place, step.target))
            own.inwards.setdefault(step.target, []).append((-place, step.source))
    return links


def _add(where: str, what: str, ends: tuple[str, str], module: str, defects: Defects) -> None:
    source, target = ends
    defects.add(
        where,
        f"{what} activations from {source!r} to {target!r}; add transfers of content 'activation' with "
        f"{module!r} there, or let the route use a replica on the device",
    )


def _splits(schedule: Schedule) -> list[tuple[str, str, str]]:
    """Return (device, module, host) of what is trained elsewhere, each once, as far as names are known."""
    nodes = {node.id for node in schedule.nodes}
    trainable = {module.id for module in schedule.modules if module.trainable}
    hosted = {(replica.module, replica.host) for replica in schedule.replicas}
    found = dict.fromkeys(
        (route.device, module, host)
        for route in schedule.routes
        if route.samples and route.device in nodes
        for module, host in route.hosts.items()
        if host != route.device and module in trainable and (module, host) in hosted
    )
    return [split for split in found if split[2] in nodes]


def _first(hops: Hops, start: str, end: str) -> int | None:
    """Return the least place at which a chain of hops with rising places reaches ``end``, if one does."""
    front: list[tuple[float, str]] = [(-float("inf"), start)]
    seen: set[str] = set()
    while front:
        reached, node = heapq.heappop(front)
        if node == end:
            return int(reached)
        if node in seen:
            continue
        seen.add(node)
        for place, other in hops.get(node, ()):
            if place > reached:
                heapq.heappush(front, (place, other))
    return None
