"""What a round of local training takes, stacked and one by one."""

import time
from functools import partial

import torch

from benchmarks.runtime.federation import federation
from benchmarks.runtime.one_by_one import train_one_by_one
from benchmarks.runtime.options import machine
from fl_runtime.accelerator import choose_device, reproducible
from fl_runtime.cohorts import form_cohorts
from fl_runtime.learning_draws import initial_state, round_batches
from fl_runtime.modules.weights import load_frozen
from fl_runtime.schedule import Training
from fl_runtime.tasks import digits_workload
from fl_runtime.training import prefixes_of, train_round

REPEATS = 5
MOST_ONE_BY_ONE = 40  # of more clients, so many are trained one by one, and the time is scaled up


def measure_speed(options):
    """Print what a round of local training takes, stacked and one by one, in process time.

    ``cached``: encoders and blocks 1 to 3 of 4 were run once for all; ``whole``: they run for each batch.
    On a GPU it is wall time, until the device has ended.
    """
    print(f"modules {', '.join(options.modules)}, head; batch {options.batch_size}; {machine(options)}")
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
            prefixes = prefixes_of(model, cohorts) if kept == "cached" else [None] * len(cohorts)
            pools = prefixes if kept == "cached" and None not in prefixes else None
            stacked = partial(train_round, model, cohorts, prefixes, state, batches, training)
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
