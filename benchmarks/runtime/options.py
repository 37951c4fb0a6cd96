"""Options of the benchmark, and the machine that it runs on in words."""

import argparse

import torch

from benchmarks.runtime.federation import KINDS
from fl_runtime.accelerator import choose_device
from fl_runtime.schedule import Training

MEASURES = ("speed", "overhead", "memory", "accuracy")


def given(description):
    """Return what the command line asks for."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("what", choices=MEASURES, nargs="?", default="speed")
    parser.add_argument("--clients", type=_counts, default=(40,), help="devices, such as 40,1000")
    parser.add_argument("--modules", type=_kinds, default=("adapter",), help="some of " + ",".join(KINDS))
    parser.add_argument("--batch-size", type=int, default=Training().batch_size)
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--precision", default="float32", help="float32 or bfloat16")
    parser.add_argument("--transport-bits", type=_counts, default=(32, 4), help="of overhead and memory")
    parser.add_argument("--seeds", type=int, default=3, help="of accuracy")
    parser.add_argument("--samples", type=int, default=96, help="per device and task")
    parser.add_argument("--rounds", type=int, help="24 for accuracy, 12 for overhead, 2 for memory")
    parser.add_argument("--local-steps", type=int, default=Training().local_steps)
    parser.add_argument("--learning-rate", type=float, default=Training().learning_rate)
    return parser.parse_args()


def machine(options):
    """Return the device, the precision and the version of torch, in words."""
    device = choose_device(options.device)
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU, one thread"
    return f"{name}, {options.precision}, torch {torch.__version__}"


def _counts(text):
    return tuple(int(part) for part in text.split(","))


def _kinds(text):
    kinds = tuple(part for part in text.split(",") if part != "head")  # each device has heads anyway
    unknown = set(kinds) - set(KINDS)
    if unknown:
        raise argparse.ArgumentTypeError(f"unknown {', '.join(sorted(unknown))}: take {', '.join(KINDS)}")
    return kinds
