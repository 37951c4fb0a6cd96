"""What the runtime's learning takes: time of training, overhead of a round, memory."""

import resource
import subprocess
import sys
import time
from contextlib import contextmanager
from functools import partial
from unittest.mock import patch

import torch

from benchmarks.runtime import federation, train_one_by_one
from fl_runtime import LearningSettings
from fl_runtime import training as engine
from fl_runtime.accelerator import choose_device, reproducible
from fl_runtime.cohorts import form_cohorts
from fl_runtime.learn import learn
from fl_runtime.learning_draws import initial_state, round_batches
from fl_runtime.modules.weights import load_frozen
from fl_runtime.schedule import Training
from fl_runtime.tasks import digits_workload
from fl_runtime.training import testing
from fl_runtime.training.jobs import Job

REPEATS = 5
MOST_ONE_BY_ONE = 40  # of more clients, so many are trained one by one, and the time is scaled up


def measure_speed(options):
    """Print what a round of local training takes, stacked and one by one, in process time.

    ``cached``: encoders and blocks 1 to 3 of 4 were run once for all; ``whole``: they run for each batch.
    On a GPU it is wall time, until the device has ended.
    """
    print(f"modules {', '.join(options.modules)}, head; batch {options.batch_size}; {_machine(options)}")
    print(f"{'clients':>8} {'':16}{'stacked ms':>12}{'one by one ms':>15}{'ratio':>8}")
    for clients in options.clients:
        seconds = _round_seconds(clients, options)
        for kept in ("cached", "whole"):
            stacked, single = seconds["stacked", kept], seconds["one by one", kept]
            print(f"{clients:8} {kept:16}{1e3 * stacked:12.1f}{1e3 * single:15.1f}{single / stacked:8.1f}")
        ratio = seconds["one by one", "whole"] / seconds["stacked", "cached"]
        print(f"{'':8} {'cached to whole':43}{ratio:8.1f}", flush=True)


def _round_seconds(clients, options):
    """Return the shortest time of a round of local training, for each way to do it."""
    training = Training(batch_size=options.batch_size)
    schedule = federation(("cloud",), clusters=clients // 4, training=training, kinds=options.modules)
    cohorts = form_cohorts(schedule, digits_workload(), 0)
    model = load_frozen().on(choose_device(options.device))
    state = initial_state(schedule, cohorts, 0, model)
    batches = round_batches(cohorts, training, 0, 0)
    few = sorted({device for cohort in cohorts for device in cohort.devices})[:MOST_ONE_BY_ONE]
    seconds = {}
    with reproducible(model.device, options.precision):
        for kept in ("cached", "whole"):
            prefixes = engine.prefixes_of(model, cohorts) if kept == "cached" else [None] * len(cohorts)
            pools = prefixes if kept == "cached" and None not in prefixes else None
            stacked = partial(engine.train_round, model, cohorts, prefixes, state, batches, training)
            single = partial(train_one_by_one, model, cohorts, state, batches, training, pools, few)
            seconds["stacked", kept] = _least(model, stacked)
            seconds["one by one", kept] = _least(model, single) * clients / len(few)
    return seconds


def _least(model, way):
    """Return the shortest time of a call after a first one."""
    way()
    return min(_seconds(model, way) for _ in range(REPEATS))


def _seconds(model, way):
    if model.device.type != "cuda":
        start = time.process_time()
        way()
        return time.process_time() - start
    torch.cuda.synchronize()
    start = time.perf_counter()
    way()
    torch.cuda.synchronize()
    return time.perf_counter() - start


def measure_overhead(options):
    """Print what a round takes besides the passes of training and testing: all that is not torch's work.

    It runs ``learn`` and takes, of the rounds after the first cycle, the least of each kind: process time of
    the round, minus that of gradients, optimiser steps and forward passes of tests.
    """
    print(f"modules {', '.join(options.modules)}, head; ms a round of process time; {_machine(options)}")
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
        learn(
            schedule,
            observer=observer,
            settings=LearningSettings(device=options.device, precision=options.precision),
        )
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


def measure_memory(options):
    """Print the largest memory of a process that imports, plans and runs rounds of ``learn``."""
    print(f"modules {', '.join(options.modules)}, head; {options.rounds or 2} rounds; {_machine(options)}")
    print(f"{'clients':>8}{'bits':>6}{'peak GiB':>10}{'seconds':>9}")
    for clients in options.clients:
        for bits in options.transport_bits:
            arguments = (clients, bits, options.modules, options.rounds or 2, options.device)
            code = f"from benchmarks.runtime_costs import run_alone; run_alone(*{arguments!r})"
            start = time.perf_counter()
            found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
            seconds = time.perf_counter() - start
            print(f"{clients:8}{bits:6}{float(found.stdout) / 2**20:10.2f}{seconds:9.0f}", flush=True)


def run_alone(clients, bits, modules, rounds, device):
    """Run some rounds, and print the largest resident memory of this process in KiB."""
    schedule = federation(
        ("edge", "cloud"), clusters=clients // 4, rounds=rounds, kinds=modules, transport_bits=bits
    )
    learn(schedule, settings=LearningSettings(device=device))
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


def _machine(options):
    device = choose_device(options.device)
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU, one thread"
    return f"{name}, {options.precision}, torch {torch.__version__}"
