"""What learning reaches, over seeds."""

import time

import numpy as np

from benchmarks.runtime.federation import federation
from fl_runtime.learn import learn
from fl_runtime.schedule import Training

CYCLES = {
    "star": ("cloud",),
    "hierarchical:2": ("edge", "cloud"),
    "hierarchical:8": ("edge",) * 7 + ("cloud",),
    "edge-only": ("edge",),
}


def measure_accuracy(options):
    """Print the accuracy of some cycles, mean and deviation over seeds, and the time of a run."""
    training = Training(local_steps=options.local_steps, learning_rate=options.learning_rate)
    rounds, seeds = options.rounds or 24, options.seeds
    total = time.perf_counter()
    for name, cycle in CYCLES.items():
        schedule = federation(cycle, samples=options.samples, rounds=rounds, training=training)
        start = time.perf_counter()
        curves = [learn(schedule, seed=seed) for seed in range(seeds)]
        seconds = (time.perf_counter() - start) / seeds
        sync = [100 * np.mean(list(curve.at_last_sync.values())) for curve in curves]
        late = [100 * np.mean(list(curve.late_average.values())) for curve in curves]
        print(
            f"{name:15} last sync {np.mean(sync):5.1f} +- {np.std(sync):3.1f} %   "
            f"last third {np.mean(late):5.1f} +- {np.std(late):3.1f} %   {seconds:5.1f} s a run",
            flush=True,
        )
    print(f"all {len(CYCLES) * seeds} runs: {time.perf_counter() - total:.0f} s")
