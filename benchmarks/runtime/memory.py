"""The largest memory of a process that learns."""

import resource
import subprocess
import sys
import time

from benchmarks.runtime.federation import federation
from benchmarks.runtime.options import machine
from fl_runtime import LearningSettings
from fl_runtime.learn import learn


def measure_memory(options):
    """Print the largest memory of a process that imports, plans and runs rounds of ``learn``."""
    print(f"modules {', '.join(options.modules)}, head; {options.rounds or 2} rounds; {machine(options)}")
    print(f"{'clients':>8}{'bits':>6}{'peak GiB':>10}{'seconds':>9}")
    for clients in options.clients:
        for bits in options.transport_bits:
            arguments = (clients, bits, options.modules, options.rounds or 2, options.device)
            code = f"from benchmarks.runtime.memory import run_alone; run_alone(*{arguments!r})"
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
