"""Seconds and joules of a transfer and of a computation: the only copy of these formulas.

Predictions (``hfedfm_opt.planning.costs``) and measurements (``fl_runtime.clock``) both call them.
All quantities are SI and on a linear scale.
"""

import math

BOLTZMANN_NOISE_W_PER_HZ = 10 ** (-174.0 / 10.0) * 1e-3
"""Thermal noise density at 290 K, W/Hz: -174 dBm/Hz."""


def shannon_rate_bps(band_hz: float, power_w: float, gain: float, noise_w_per_hz: float) -> float:
    """Return the rate of a Gaussian channel, ``b log2(1 + p g / (N0 b))`` (Shannon 1948), in bit/s.

    Parameters
    ----------
    band_hz : float
        Bandwidth b, Hz, >= 0; no bandwidth carries nothing.
    power_w : float
        Radiated power p, W, >= 0.
    gain : float
        Power gain g of the link, >= 0.
    noise_w_per_hz : float
        Noise density N0 at the receiver with its noise figure, W/Hz, > 0.
    """
    if band_hz <= 0:
        return 0.0
    return band_hz * math.log1p(power_w * gain / (noise_w_per_hz * band_hz)) / math.log(2.0)


def transfer_seconds(bits: float, rate_bps: float, delay_s: float = 0.0) -> float:
    """Return ``delay + bits / rate``, in s; ``inf`` where bits meet a link without rate.

    Parameters
    ----------
    bits : float
        Payload, >= 0.
    rate_bps : float
        Rate, bit/s, >= 0; ``inf`` means that the payload takes no time.
    delay_s : float
        Constant delay, s, >= 0.
    """
    if bits == 0:
        return delay_s
    return delay_s + (bits / rate_bps if rate_bps > 0 else math.inf)


def sender_joules(
    seconds: float, power_w: float, efficiency: float = 1.0, circuit_power_w: float = 0.0
) -> float:
    """Return the energy of a sender, ``(p / efficiency + circuit power) * seconds``, in J.

    Parameters
    ----------
    seconds : float
        Time on the air, s, >= 0.
    power_w : float
        Radiated power p, W, >= 0.
    efficiency : float
        Efficiency of the power amplifier, in (0, 1].
    circuit_power_w : float
        Power of the rest of the sender while it sends, W, >= 0.
    """
    return (power_w / efficiency + circuit_power_w) * seconds


def receiver_joules(seconds: float, receive_power_w: float) -> float:
    """Return the energy of a receiver, ``receive power * seconds``, in J."""
    return receive_power_w * seconds


def cycles_of(flops: float, flops_per_cycle: float) -> float:
    """Return the processor cycles that ``flops`` operations take at ``flops_per_cycle``."""
    return flops / flops_per_cycle


def compute_seconds(cycles: float, frequency_hz: float) -> float:
    """Return ``cycles / frequency``, in s."""
    return cycles / frequency_hz if cycles > 0 else 0.0


def compute_joules(cycles: float, frequency_hz: float, effective_capacitance: float) -> float:
    """Return ``capacitance * cycles * frequency^2``, in J.

    The dynamic power of CMOS logic grows with the cube of its frequency (Burd and Brodersen 1996), so the
    energy of a cycle grows with the square.

    Parameters
    ----------
    cycles : float
        Work, cycles, >= 0.
    frequency_hz : float
        Clock frequency, Hz, > 0.
    effective_capacitance : float
        Effective switched capacitance, J s^2 / cycle^3, >= 0.
    """
    return effective_capacitance * cycles * frequency_hz**2


def reserved_compute_seconds(flops: float, flops_per_s: float, share: float = 1.0) -> float:
    """Return ``flops / (share * speed)``, in s: work on a reserved share of a processor of fixed speed.

    Parameters
    ----------
    flops : float
        Work, operations, >= 0.
    flops_per_s : float
        Speed of the whole processor, > 0.
    share : float
        Part of it that is reserved, in (0, 1].
    """
    return flops / (flops_per_s * share)


def reserved_compute_joules(seconds: float, power_w: float, share: float = 1.0) -> float:
    """Return ``power * share * seconds``, in J: a reserved share draws that share of the power.

    Parameters
    ----------
    seconds : float
        Duration, s, >= 0.
    power_w : float
        Power of the whole processor, W, >= 0.
    share : float
        Part of it that is reserved, in (0, 1].
    """
    return power_w * share * seconds


def wired_joules(seconds: float, power_w: float) -> float:
    """Return the energy of a wired link, ``power * seconds`` with its constant delay included, in J."""
    return power_w * seconds
