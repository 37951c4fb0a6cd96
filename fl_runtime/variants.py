"""The same schedule with other transport precisions or another server optimiser."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace

from fl_runtime.packing import FULL_BITS, packed_bits
from fl_runtime.schedule import Aggregate, Schedule, Step, Transfer
from fl_runtime.server_optimisers import Adam, Momentum, Plain


def with_precision(
    schedule: Schedule, up_bits: int, down_bits: int | None = None, modules: Collection[str] | None = None
) -> Schedule:
    """Return the schedule with trainable modules sent at a precision, its transfers' bits made to fit.

    Parameters
    ----------
    schedule : Schedule
        Any; bits of other modules in a transfer are taken from their ``update_bits``.
    up_bits, down_bits : int
        Bits a parameter of updates and of models, of ``PRECISIONS_BITS``; ``down_bits`` ``None``: the same.
    modules : collection of str or None
        Which modules; ``None``: all trainable ones.
    """
    bits_of_content = {"update": up_bits, "model": up_bits if down_bits is None else down_bits}
    size_of = {module.id: module.update_bits for module in schedule.modules}
    chosen = {module.id for module in schedule.modules if module.trainable}
    chosen &= chosen if modules is None else set(modules)

    def changed(step: Step) -> Step:
        if not isinstance(step, Transfer) or step.content == "activation":
            return step
        precision = dict(step.precision_bits)
        precision |= {name: bits_of_content[step.content] for name in step.modules if name in chosen}
        precision = {name: bits for name, bits in precision.items() if bits != FULL_BITS}
        return replace(step, precision_bits=precision, bits=_bits(step.modules, size_of, precision))

    return _with_steps(schedule, changed)


def with_server_optimiser(
    schedule: Schedule, optimiser: Plain | Momentum | Adam, nodes: Collection[str]
) -> Schedule:
    """Return the schedule whose averages at ``nodes`` become models by ``optimiser``."""

    def changed(step: Step) -> Step:
        if isinstance(step, Aggregate) and step.node in nodes:
            return replace(step, optimiser=optimiser)
        return step

    return _with_steps(schedule, changed)


def _bits(modules: Collection[str], size_of: Mapping[str, float], precision: Mapping[str, int]) -> float:
    return sum(packed_bits(size_of[name], precision.get(name, FULL_BITS)) for name in modules)


def _with_steps(schedule: Schedule, changed: Callable[[Step], Step]) -> Schedule:
    kinds = tuple(replace(kind, steps=tuple(map(changed, kind.steps))) for kind in schedule.kinds)
    return replace(schedule, kinds=kinds)
