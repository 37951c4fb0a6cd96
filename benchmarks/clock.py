"""How many transfers per CPU second the clock plays: ``python -m benchmarks.clock``.

A star of 40 devices that share a band, 500 rounds, with and without fading; and the same devices in front
of one half-duplex radio, where every transfer waits for the one before.
"""

import time

from fl_runtime import (
    Aggregate,
    Band,
    Compute,
    Cpu,
    Deliver,
    Fading,
    Module,
    Node,
    Replica,
    RoundKind,
    Schedule,
    Transfer,
    Wireless,
    play,
)

NUM_DEVICES = 40
ROUNDS = 500
CPU = Cpu(flops_per_cycle=4.0, max_frequency_hz=2e9, effective_capacitance=1e-28)
LINK = Wireless(band="cell", band_hz=2.5e4, power_w=0.1, gain=1e-9, noise_w_per_hz=4e-21)


def star(half_duplex: bool) -> Schedule:
    devices = [f"d{number}" for number in range(NUM_DEVICES)]
    steps: list = [
        Compute(id=f"train-{name}", node=name, flops=1e9, frequency_hz=1e9 + 1e7 * number)
        for number, name in enumerate(devices)
    ]
    steps += [_transfer(f"up-{name}", f"train-{name}", name, "edge", "update") for name in devices]
    steps.append(
        Aggregate(id="average", after=tuple(f"up-{name}" for name in devices), node="edge", modules=("head",))
    )
    steps += [_transfer(f"down-{name}", "average", "edge", name, "model") for name in devices]
    down = tuple(f"down-{name}" for name in devices)
    steps.append(Deliver(id="deliver", after=down, nodes=tuple(devices), modules=("head",)))
    return Schedule(
        name="star",
        nodes=(
            Node(id="edge", tier="edge", half_duplex=half_duplex),
            *(Node(id=name, tier="device", processor=CPU) for name in devices),
        ),
        bands=(Band(id="cell", band_hz=1e6),),
        modules=(Module(id="head", kind="head", update_bits=1e6, trainable=True),),
        replicas=tuple(Replica(module="head", host=name, weight=1.0) for name in devices),
        routes=(),
        kinds=(RoundKind(name="round", steps=tuple(steps)),),
        cycle=("round",),
        rounds=ROUNDS,
    )


def _transfer(name: str, after: str, source: str, target: str, content: str) -> Transfer:
    return Transfer(
        id=name,
        after=(after,),
        source=source,
        target=target,
        content=content,
        modules=("head",),
        bits=1e6,
        medium=LINK,
    )


def main() -> None:
    cases = {
        "shared band": (star(half_duplex=False), None),
        "shared band, Rayleigh fading": (star(half_duplex=False), Fading()),
        "one half-duplex radio": (star(half_duplex=True), None),
    }
    for name, (schedule, fading) in cases.items():
        seconds = []
        for _ in range(5):
            start = time.process_time()
            play(schedule, fading=fading)
            seconds.append(time.process_time() - start)
        rate = 2 * NUM_DEVICES * ROUNDS / min(seconds)
        print(f"{name}: {rate:,.0f} transfers per CPU second (best of {len(seconds)})")


if __name__ == "__main__":
    main()
