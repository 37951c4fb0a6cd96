"""Plan cities of growing size, each in a process of its own: time, memory, gap and growth.

    python -m benchmarks.city                                  1,000, 3,000 and 10,000 devices
    python -m benchmarks.city --devices 1000,10000,100000      up to a whole city
    python -m benchmarks.city --devices-per-edge 6             small cells, whose devices reach each other

Each line has the seconds of processor and wall time that planning takes (reading and writing apart), the
largest resident memory, the objective with its bound, and the sizes of the packed files.  The exponent of
growth is that of processor time from the first size to each other.
"""

import argparse
import json
import math
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

DEFAULT_DEVICES = "1000,3000,10000"


def measure(num_devices: int, num_edges: int, planner: str) -> dict[str, float]:
    """Return what planning a city takes: seconds, MiB, objective, bound and sizes of files."""
    from hfedfm_opt import plan, read_instance
    from hfedfm_opt.planning.plan_file import write_plan
    from hfedfm_opt.system.generate import city_instance
    from hfedfm_opt.system.read import write_instance

    with tempfile.TemporaryDirectory() as folder:
        file, plan_file = Path(folder) / "city.json.gz", Path(folder) / "plan.json.gz"
        write_instance(city_instance(num_devices, num_edges), file)
        plan(city_instance(1000, max(1, 1000 * num_edges // num_devices)), planner)  # load what is needed
        began = time.process_time()
        instance = read_instance(file)
        read_s = time.process_time() - began
        began, began_wall = time.process_time(), time.monotonic()
        result = plan(instance, planner)
        plan_s, wall_s = time.process_time() - began, time.monotonic() - began_wall
        planned_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        assert result.plan is not None, result.explanation
        began = time.process_time()
        write_plan(result.plan, plan_file, file)
        return {
            "read_s": read_s,
            "plan_s": plan_s,
            "wall_s": wall_s,
            "write_s": time.process_time() - began,
            "planned_mib": planned_mib,
            "written_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
            "objective": result.objective,
            "bound": result.bound,
            "gap": result.gap,
            "instance_mb": file.stat().st_size / 1e6,
            "plan_mb": plan_file.stat().st_size / 1e6,
        }


def main() -> None:
    """Print a line for each size."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--devices", default=DEFAULT_DEVICES, help="numbers of devices, separated by commas")
    parser.add_argument("--devices-per-edge", type=int, default=50)
    parser.add_argument("--planner", default="optimised:2")
    parser.add_argument("--alone", action="store_true", help="measure one size here; prints JSON")
    asked = parser.parse_args()
    sizes = [int(size) for size in asked.devices.split(",")]
    if asked.alone:
        print(json.dumps(measure(sizes[0], max(1, sizes[0] // asked.devices_per_edge), asked.planner)))
        return
    print("devices  read s  plan s  wall s  write s  plan MiB  all MiB      gap  files MB  exponent")
    first: tuple[int, float] | None = None
    for size in sizes:
        command = [sys.executable, "-m", "benchmarks.city", "--alone", "--devices", str(size)]
        command += ["--devices-per-edge", str(asked.devices_per_edge), "--planner", asked.planner]
        found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        first = first or (size, found["plan_s"])
        grown = size / first[0]
        exponent = f"{math.log(found['plan_s'] / first[1]) / math.log(grown):.2f}" if grown != 1 else ""
        print(
            f"{size:7d} {found['read_s']:7.2f} {found['plan_s']:7.2f} {found['wall_s']:7.1f} "
            f"{found['write_s']:8.2f} {found['planned_mib']:9.0f} {found['written_mib']:8.0f} "
            f"{found['gap']:8.2%} {found['instance_mb']:4.1f} {found['plan_mb']:4.1f} {exponent:>9}",
            flush=True,
        )


if __name__ == "__main__":
    main()
