"""Radios and processors of generated devices, servers and clouds."""

import numpy as np

from hfedfm_opt.system.instance import Cpu, FixedSpeed, Radio

TERMINAL_POWER_W = 10.0 ** (23.0 / 10.0) * 1e-3
"""23 dBm, power class 3 of TS 38.101-1."""
SMALL_CELL_POWER_W = 1.0
EFFECTIVE_CAPACITANCE = 1e-28
"""J s^2 / cycle^3, usual for mobile processors: 1.4 W at 2.4 GHz."""
FREQUENCIES_HZ = (0.6e9, 1.0e9, 1.4e9, 1.8e9, 2.4e9)
FLOPS_PER_CYCLE = (8.0, 16.0, 32.0)
"""One to four cores with two 128-bit multiply-add units of half occupancy."""
DEVICE_MEMORY_BYTES = (64e6, 160e6, 512e6)
"""What a device sets aside: for what it trains; for encoders too; for the whole model."""
EDGE_MEMORY_BYTES = (160e6, 200e6, 240e6, 280e6)
"""What a server sets aside; none holds the whole model."""

SERVER_RADIO = Radio(
    max_power_w=SMALL_CELL_POWER_W,
    amplifier_efficiency=0.3,
    circuit_power_w=1.0,
    receive_power_w=0.5,
    noise_figure_db=5.0,
    duplex="full",
)
EDGE_PROCESSORS = (FixedSpeed(flops_per_s=1e12, power_w=30.0), FixedSpeed(flops_per_s=4e12, power_w=60.0))
"""Embedded boards of 30 W and 60 W at the speed they sustain in fp32."""
CLOUD_PROCESSOR = FixedSpeed(flops_per_s=50e12, power_w=400.0)
"""One data-centre accelerator."""

_TERMINAL_RADIOS = tuple(
    Radio(
        max_power_w=TERMINAL_POWER_W,
        amplifier_efficiency=efficiency,
        circuit_power_w=circuit_power_w,
        receive_power_w=receive_power_w,
        noise_figure_db=9.0,
        duplex="half",
    )
    for efficiency, circuit_power_w, receive_power_w in ((0.35, 0.1, 0.1), (0.4, 0.15, 0.2))
)
_PROCESSORS = tuple(
    Cpu(
        flops_per_cycle=flops_per_cycle,
        max_frequency_hz=frequency_hz,
        effective_capacitance=EFFECTIVE_CAPACITANCE,
    )
    for frequency_hz in FREQUENCIES_HZ
    for flops_per_cycle in FLOPS_PER_CYCLE
)


def draw_hardware(rng: np.random.Generator, num_devices: int) -> list[tuple[Cpu, Radio, float]]:
    """Return a processor, a radio and a memory (byte) for each device, each drawn evenly from a few kinds."""
    processors = rng.integers(len(_PROCESSORS), size=num_devices).tolist()
    radios = rng.integers(len(_TERMINAL_RADIOS), size=num_devices).tolist()
    memories = rng.integers(len(DEVICE_MEMORY_BYTES), size=num_devices).tolist()
    return [
        (_PROCESSORS[processor], _TERMINAL_RADIOS[radio], DEVICE_MEMORY_BYTES[memory])
        for processor, radio, memory in zip(processors, radios, memories, strict=True)
    ]
