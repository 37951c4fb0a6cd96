"""Whose training the steps of split execution belong to."""

from fl_runtime.schedule import Compute, RoundKind, Schedule, Transfer

Served = tuple[str, ...]
"""Devices, in the order of the routes."""


def served_devices(schedule: Schedule, kind: RoundKind) -> list[Served]:
    """Return for each step of a kind which devices' training it is a part of.

    Activation transfers and computations that follow each other (``after``) are one chain.  It belongs to the
    devices at its links whose routes name a host at its links for one of its modules.  Steps of no such
    chain belong to none.
    """
    chain_of = _chains(kind)
    modules: dict[int, set[str]] = {}
    ends: dict[int, set[str]] = {}
    for position, step in enumerate(kind.steps):
        if isinstance(step, Transfer) and position in chain_of:
            chain = chain_of[position]
            modules.setdefault(chain, set()).update(step.modules)
            ends.setdefault(chain, set()).update((step.source, step.target))
    devices: dict[int, Served] = {}
    for chain, nodes in ends.items():
        found = [
            route.device
            for route in schedule.routes
            if route.device in nodes
            and any(
                host in nodes and host != route.device and module in modules[chain]
                for module, host in route.hosts.items()
            )
        ]
        devices[chain] = tuple(dict.fromkeys(found))
    return [devices.get(chain_of.get(position, -1), ()) for position in range(len(kind.steps))]


def _chains(kind: RoundKind) -> dict[int, int]:
    """Return for each step of a chain the first position of it."""
    position_of = {step.id: position for position, step in enumerate(kind.steps)}
    first: dict[int, int] = {}

    def top(position: int) -> int:
        while first[position] != position:
            position = first[position]
        return position

    for position, step in enumerate(kind.steps):
        if not (isinstance(step, Compute) or (isinstance(step, Transfer) and step.content == "activation")):
            continue
        first[position] = position
        for name in step.after:
            if position_of[name] in first:
                one, other = sorted((top(position), top(position_of[name])))
                first[other] = one
    return {position: top(position) for position in first}
