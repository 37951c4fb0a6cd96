"""Bits that travel besides those of the schedule, since some node lacks what the others have."""

from collections.abc import Mapping, Sequence

import numpy as np

from fl_runtime.packing import FULL_BITS, packed_bits
from fl_runtime.schedule import Schedule, Transfer
from fl_runtime.transport import Transport, played_kinds
from fl_runtime.transport_state import Kept, Load

Extra = Mapping[str, float]
"""Bits by the id of a transfer; those without any are left out."""


def extra_bits(schedule: Schedule, num_rounds: int) -> list[Extra]:
    """Return for each round what its transfers carry more (or less) than they say.

    A schedule says what packets take.  A device that missed what others got sends its whole state instead of
    a packet; a node that lacks the reference of a model gets that first.  Who has what follows from the names
    in the schedule alone, so it is found without training.

    Parameters
    ----------
    schedule : Schedule
        Checked.
    num_rounds : int
        How many rounds.
    """
    transfers = {
        (kind.name, step.id): step
        for kind in played_kinds(schedule)
        for step in kind.steps
        if isinstance(step, Transfer)
    }
    result: list[dict[str, float]] = [{} for _ in range(num_rounds)]
    update_bits = {module.id: module.update_bits for module in schedule.modules}
    for name in packed_modules(schedule):
        for index, loads in enumerate(_loads(schedule, name, num_rounds)):
            kind = schedule.cycle[index % len(schedule.cycle)]
            for step_id, load in loads.items():
                bits = transfers[kind, step_id].bits_a_parameter(name)
                more = surplus_bits(load, update_bits[name], bits)
                if more:
                    result[index][step_id] = result[index].get(step_id, 0.0) + more
    return list(result)


def packed_modules(schedule: Schedule) -> tuple[str, ...]:
    """Return the trainable modules that some transfer carries with fewer than 32 bits a parameter."""
    packed = {
        name
        for kind in played_kinds(schedule)
        for step in kind.steps
        if isinstance(step, Transfer)
        for name, bits in step.precision_bits.items()
        if bits < FULL_BITS
    }
    return tuple(module.id for module in schedule.modules if module.trainable and module.id in packed)


def surplus_bits(load: Load, update_bits: float, bits: int) -> float:
    """Return what a load takes more (or less) than a schedule says: one packet, or one state at 32 bits.

    Parameters
    ----------
    load : Load
        What was carried.
    update_bits : float
        Bits of the module as it is.
    bits : int
        Bits a parameter with which it travels.
    """
    packet = packed_bits(update_bits, bits)
    if bits == FULL_BITS:
        return (load.states - 1) * update_bits
    return load.states * update_bits + (load.packets - 1) * packet


def _loads(schedule: Schedule, module: str, num_rounds: int) -> Sequence[Mapping[str, Load]]:
    """Return what each transfer of ``module`` carries in each round.

    Only the pattern of who has which models matters: once it comes back, so does all that follows.
    """
    empty = np.zeros(0, dtype=np.float32)
    transport = Transport(schedule, module, Kept({0: empty}))
    rows = np.zeros((sum(replica.module == module for replica in schedule.replicas), 0), dtype=np.float32)
    found: list[Mapping[str, Load]] = []
    first_with: dict[object, int] = {}
    length = len(schedule.cycle)
    while len(found) < num_rounds:
        if len(found) % length == 0:
            start = first_with.setdefault(_pattern(transport.kept), len(found))
            if start < len(found):
                found += found[start:]
                continue
        found.append(transport.round(schedule.cycle[len(found) % length], rows)[1])
    return found[:num_rounds]


def _pattern(kept: Kept) -> object:
    """Return who has which models, with the models' ranks in place of their numbers."""
    rank_of = {number: rank for rank, number in enumerate(sorted(kept.models))}
    return frozenset(
        (node, maker, rank_of.get(number, -1))
        for node, last in kept.number_of.items()
        for maker, number in last.items()
    )
