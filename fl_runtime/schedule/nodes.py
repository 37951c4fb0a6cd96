"""What a schedule runs on: nodes with their processors, bands and links."""

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field


@dataclass(frozen=True, kw_only=True)
class Cpu:
    """A processor whose frequency can be scaled.

    Parameters
    ----------
    flops_per_cycle : float
        Operations per cycle, > 0.
    max_frequency_hz : float
        Highest frequency, Hz, > 0.
    effective_capacitance : float
        J s^2 / cycle^3, >= 0.
    """

    type: Literal["cpu"] = "cpu"
    flops_per_cycle: float
    max_frequency_hz: float
    effective_capacitance: float


@dataclass(frozen=True, kw_only=True)
class FixedSpeed:
    """A processor of fixed speed (flop/s, > 0) and power (W, >= 0)."""

    type: Literal["fixed"] = "fixed"
    flops_per_s: float
    power_w: float


Processor = Annotated[Cpu | FixedSpeed, Field(discriminator="type")]


@dataclass(frozen=True, kw_only=True)
class Node:
    """A device, an edge server, a fog node or the cloud.

    Parameters
    ----------
    id : str
        Unique name.
    tier : str
        Name of its tier, such as ``"device"``.
    processor : Cpu or FixedSpeed or None
        ``None``: its computing takes no time and no energy.
    half_duplex : bool
        Whether its radio does one thing at a time; otherwise it sends and receives in parallel.
    amplifier_efficiency : float
        In (0, 1].
    circuit_power_w, receive_power_w : float
        Power while sending besides the amplifier's, and while receiving, W, >= 0.
    """

    id: str
    tier: str
    processor: Processor | None = None
    half_duplex: bool = False
    amplifier_efficiency: float = 1.0
    circuit_power_w: float = 0.0
    receive_power_w: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Band:
    """A piece of spectrum, ``band_hz`` wide, that the transfers naming it share."""

    id: str
    band_hz: float


@dataclass(frozen=True, kw_only=True)
class Wireless:
    """A share of a band from one node to another.

    Parameters
    ----------
    band : str
        Name of the band.
    band_hz : float
        Share of it, Hz, > 0.
    power_w : float
        Radiated power, W, > 0.
    gain : float
        Power gain, > 0.
    noise_w_per_hz : float
        Noise density at the receiver, W/Hz, > 0.
    """

    type: Literal["wireless"] = "wireless"
    band: str
    band_hz: float
    power_w: float
    gain: float
    noise_w_per_hz: float


@dataclass(frozen=True, kw_only=True)
class Wired:
    """A link of fixed rate.

    Parameters
    ----------
    rate_bps : float or None
        bit/s, > 0; ``None`` means unlimited.
    delay_s, power_w : float
        Constant delay, s, and the power drawn while it works, W, both >= 0.
    """

    type: Literal["wired"] = "wired"
    rate_bps: float | None
    delay_s: float = 0.0
    power_w: float = 0.0


Medium = Annotated[Wireless | Wired, Field(discriminator="type")]
