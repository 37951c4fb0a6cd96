"""Defects of transport precisions and server optimisers."""

from fl_runtime.defects import Defects, exceeds
from fl_runtime.packing import FULL_BITS, PRECISIONS_BITS, packed_bits
from fl_runtime.schedule import Aggregate, Mix, Module, RoundKind, Schedule, Transfer
from fl_runtime.server_optimisers import Adam, Momentum, Plain

BITS_TOLERANCE = 1e-9
"""Part by which the bits of a transfer may differ from those of its packets: rounding of a sum."""

ALLOWED = "must be one of " + ", ".join(map(str, PRECISIONS_BITS))


def check_transport(schedule: Schedule, kind: RoundKind, defects: Defects) -> None:
    """Add what is wrong with precisions below 32 bits and with server optimisers.

    - A precision is one of ``PRECISIONS_BITS``, of a trainable module that the step carries, and not of
      activations; ``bits`` is then what the modules take packed.
    - An update that is passed on keeps its precision.
    - Modules that are mixed by consensus travel as they are, and no server optimiser moves them.

    Parameters
    ----------
    schedule : Schedule
        Whose modules count.
    kind : RoundKind
        The steps.
    defects : Defects
        Takes the lines.
    """
    modules = {module.id: module for module in schedule.modules}
    mixed = {
        name: step.id
        for each in schedule.kinds
        for step in each.steps
        if isinstance(step, Mix)
        for name in step.modules
    }
    arrived: dict[tuple[str, str, str], int] = {}  # precision of an update, by origin, place and module
    for step in kind.steps:
        where = f"kind {kind.name!r}: step {step.id!r}"
        if isinstance(step, Aggregate):
            _check_optimiser(step, where, mixed, defects)
        if not isinstance(step, Transfer):
            continue
        if step.precision_bits:
            _check_precision(step, where, modules, mixed, defects)
        if step.content == "update":
            _check_passing(step, where, arrived, defects)


def _check_precision(
    step: Transfer, where: str, modules: dict[str, Module], mixed: dict[str, str], defects: Defects
) -> None:
    before = len(defects.lines)
    if step.content == "activation":
        defects.add(where, "precision_bits is given, must be left out: activations travel as bits says")
        return
    for name, bits in step.precision_bits.items():
        place = f"precision_bits[{name!r}]"
        if isinstance(bits, bool) or bits not in PRECISIONS_BITS:
            defects.add(where, f"{place} is {bits!r}, {ALLOWED}")
        if name not in step.modules:
            defects.add(where, f"{place} is given, but the step does not carry {name!r}; add it to modules")
        elif bits != FULL_BITS and name in modules and not modules[name].trainable:
            defects.add(where, f"{place} is {bits!r}, must be 32: {name!r} is not trainable")
        elif bits != FULL_BITS and name in mixed:
            defects.add(where, f"{place} is {bits!r}, must be 32: step {mixed[name]!r} mixes {name!r}")
    if len(defects.lines) > before or any(name not in modules for name in step.modules):
        return
    packed = sum(packed_bits(modules[name].update_bits, step.bits_a_parameter(name)) for name in step.modules)
    if exceeds(step.bits, packed, BITS_TOLERANCE) or exceeds(packed, step.bits, BITS_TOLERANCE):
        defects.add(where, f"bits is {step.bits!r}, must be {packed!r}: what its modules take packed")


def _check_passing(
    step: Transfer, where: str, arrived: dict[tuple[str, str, str], int], defects: Defects
) -> None:
    origin = step.origin or step.source
    for name in step.modules:
        bits = step.bits_a_parameter(name)
        came = arrived.get((origin, step.source, name), bits) if origin != step.source else bits
        if came != bits:
            defects.add(
                where,
                f"passes on the update of {name!r} with {bits} bits a parameter, must be {came}: as it came",
            )
        arrived[origin, step.target, name] = bits


def _check_optimiser(step: Aggregate, where: str, mixed: dict[str, str], defects: Defects) -> None:
    optimiser = step.optimiser
    place = f"{where}: optimiser"
    match optimiser:
        case Momentum():
            _check_decay("momentum", optimiser.momentum, place, defects)
        case Adam():
            _check_decay("first", optimiser.first, place, defects)
            _check_decay("second", optimiser.second, place, defects)
            defects.number(place, "floor", optimiser.floor, positive=True)
    if not isinstance(optimiser, Plain):
        defects.number(place, "rate", optimiser.rate, positive=True)
        for name in step.modules:
            if name in mixed:
                defects.add(place, f"must be plain: step {mixed[name]!r} mixes {name!r}")


def _check_decay(field: str, value: float, place: str, defects: Defects) -> None:
    if defects.number(place, field, value) and value >= 1:
        defects.add(place, f"{field} is {value!r}, must be below 1")
