"""How many transfers per CPU second the clock plays: ``python -m benchmarks.clock``.

A star of 40 devices that share a band, 500 rounds, with and without fading; the same devices in front of
one half-duplex radio, where every transfer waits for the one before; and in a living network, where some are
away and transfers are repeated (those that do not take place count as well).
"""

import time
from dataclasses import replace

from fl_runtime import (
    Aggregate,
    Band,
    Compute,
    Cpu,
    Deliver,
    DropOut,
    Fading,
    LivingNetwork,
    Losses,
    Module,
    Node,
    Policy,
    Replica,
    RoundKind,
    Schedule,
    Straggling,
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


LIVING = LivingNetwork(
    drop_out=DropOut(share=0.3), straggling=Straggling(spread=0.5), losses=Losses(probability=0.1)
)


def with_policy(schedule: Schedule, policy: Policy) -> Schedule:
    return replace(schedule, kinds=tuple(replace(kind, policy=policy) for kind in schedule.kinds))


def main() -> None:
    lively = replace(star(half_duplex=False), living=LIVING)
    cases = {
        "shared band": (star(half_duplex=False), None),
        "shared band, Rayleigh fading": (star(half_duplex=False), Fading()),
        "one half-duplex radio": (star(half_duplex=True), None),
        "shared band, 30 % away, 10 % lost, slow work": (lively, None),
        "the same, averages of 80 %": (with_policy(lively, Policy(share=0.8)), None),
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
