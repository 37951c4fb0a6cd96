"""What a round takes besides the passes of training and testing."""

import time
from contextlib import contextmanager
from unittest.mock import patch

import torch

from benchmarks.runtime.federation import federation
from benchmarks.runtime.options import machine
from fl_runtime import LearningSettings
from fl_runtime.learn import learn
from fl_runtime.schedule import Training
from fl_runtime.training import testing
from fl_runtime.training.jobs import Job


def measure_overhead(options):
    """Print what a round takes besides the passes of training and testing: all that is not torch's work.

    It runs ``learn`` and takes, of the rounds after the first cycle, the least of each kind: process time of
    the round, minus that of gradients, optimiser steps and forward passes of tests.
    """
    print(f"modules {', '.join(options.modules)}, head; ms a round of process time; {machine(options)}")
    columns = ("round", "training", "testing", "overhead")
    print(f"{'clients':>8}{'bits':>6} {'kind':8}" + "".join(f"{name:>10}" for name in columns))
    for clients in options.clients:
        for bits in options.transport_bits:
            for kind, rounds in _rounds_by_kind(clients, bits, options).items():
                least = min(rounds, key=lambda row: row["overhead"])
                cells = "".join(f"{1e3 * least[name]:10.1f}" for name in columns)
                print(f"{clients:8}{bits:6} {kind:8}{cells}", flush=True)


def _rounds_by_kind(clients, bits, options):
    cycle, num_rounds = ("edge", "cloud"), options.rounds or 12
    schedule = federation(
        cycle,
        clusters=clients // 4,
        rounds=num_rounds,
        training=Training(batch_size=options.batch_size),
        kinds=options.modules,
        transport_bits=bits,
    )
    passes = {"training": 0.0, "testing": 0.0}
    found = {kind: [] for kind in cycle}
    last = None

    def observer(index, accuracy):
        nonlocal last
        now = time.process_time()
        if last is not None and index >= len(cycle):
            row = {"round": now - last, **passes}
            row["overhead"] = row["round"] - sum(passes.values())
            found[cycle[index % len(cycle)]].append(row)
        passes.update(training=0.0, testing=0.0)
        last = time.process_time()

    with _timed_passes(passes):
        settings = LearningSettings(device=options.device, precision=options.precision)
        learn(schedule, settings=settings, observer=observer)
    return found


@contextmanager
def _timed_passes(seconds):
    """Add up what passes take, as long as the context lasts."""

    def timed(function, name):
        def measured(*arguments, **options):
            start = time.process_time()
            result = function(*arguments, **options)
            seconds[name] += time.process_time() - start
            return result

        return measured

    with (
        patch.object(Job, "add_gradients", timed(Job.add_gradients, "training")),
        patch.object(torch.optim.AdamW, "step", timed(torch.optim.AdamW.step, "training")),
        patch.object(testing, "tested", timed(testing.tested, "testing")),
    ):
        yield
