"""With how many bits a parameter modules travel: from what is asked for to what a plan says."""

from collections.abc import Iterable, Iterator, Mapping

from fl_runtime.packing import FULL_BITS, PRECISIONS_BITS
from hfedfm_opt.planning.violations import PlanViolation
from hfedfm_opt.system.decisions import Decisions, ModuleTransport
from hfedfm_opt.system.instance import Instance
from hfedfm_opt.system.network import Network


class UnknownPrecision(ValueError):
    """A precision that there is not, or for a module that does not travel."""


BitsBothWays = int | tuple[int, int]
"""Bits a parameter: the same both ways, or of updates and of models on their way back."""


def transport_of(
    instance: Instance, bits: BitsBothWays | Mapping[str, BitsBothWays]
) -> tuple[ModuleTransport, ...]:
    """Return the entries of a plan for a precision that is asked for.

    Parameters
    ----------
    instance : Instance
        Whose trainable modules travel.
    bits : int, pair of int, or mapping of str to either
        Bits a parameter of all of them, or by module; a pair is of updates and of models.

    Raises
    ------
    UnknownPrecision
        For a precision that there is not, or a module that is not trainable.
    """
    trainable = [module.id for module in instance.modules if module.trainable]
    asked = bits if isinstance(bits, Mapping) else dict.fromkeys(trainable, bits)
    ways: dict[str, tuple[int, int]] = {}
    for name, value in asked.items():
        if name not in trainable:
            known = ", ".join(trainable) or "none"
            raise UnknownPrecision(f"transport_bits names {name!r}, must be a trainable module: {known}")
        ways[name] = value if isinstance(value, tuple) else (value, value)
        for way in ways[name]:
            if way not in PRECISIONS_BITS:
                allowed = ", ".join(map(str, PRECISIONS_BITS))
                raise UnknownPrecision(f"transport_bits of {name!r} is {way!r}, must be one of {allowed}")
    as_it_is = (FULL_BITS, FULL_BITS)
    return tuple(
        ModuleTransport.model_validate({"module": name, "up": ways[name][0], "down": ways[name][1]})
        for name in trainable
        if ways.get(name, as_it_is) != as_it_is
    )


def transport_violations(network: Network, decisions: Decisions) -> Iterator[PlanViolation]:
    """Yield entries of ``transport_bits`` for modules that are not trainable, and second ones."""
    seen: set[str] = set()
    for entry in decisions.transport_bits:
        place = f"transport_bits of {entry.module!r}"
        module = network.modules.get(entry.module)
        if module is None or not module.trainable:
            yield PlanViolation(place, "names no trainable module")
        if entry.module in seen:
            yield PlanViolation(place, "occurs more than once")
        seen.add(entry.module)


def precision_note(transport: Iterable[ModuleTransport]) -> str:
    """Return what a proof adds where modules travel with less than 32 bits a parameter."""
    bits = sorted({entry.up for entry in transport} | {entry.down for entry in transport})
    return f"; transport with {' and '.join(map(str, bits))} bits a parameter" if bits else ""
