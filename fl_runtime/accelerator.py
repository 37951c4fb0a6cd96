"""Where and how torch computes: the device, the precision, and what makes its results reproducible."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import torch

Precision = Literal["float32", "bfloat16"]
"""Of products in the shared model and in clients' modules; parameters and averages are always float32."""

PRECISIONS: tuple[Precision, ...] = ("float32", "bfloat16")

WORKSPACE = ":4096:8"
"""cuBLAS's workspaces, MiB-sized and fixed: without them its products differ from run to run."""


def choose_device(name: str | None = None) -> "torch.device":
    """Return the device called ``name``; ``None``: ``cuda`` where torch finds one, else ``cpu``.

    Raises
    ------
    ValueError
        If there is no such device.
    """
    import torch

    if name is None:
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ValueError(f"device is {name!r}, must be cpu, cuda or cuda:N") from error
    if device.type not in ("cpu", "cuda"):
        raise ValueError(f"device is {name!r}, must be cpu, cuda or cuda:N")
    if device.type == "cuda" and device.index is None and torch.cuda.is_available():
        return torch.device("cuda", torch.cuda.current_device())
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise ValueError(
            f"device is {name!r}, but torch finds {torch.cuda.device_count()} CUDA devices; take 'cpu'"
        )
    return device


@contextmanager
def reproducible(device: "torch.device", precision: Precision = "float32") -> Iterator[None]:
    """Fix what decides the order and the precision of torch's sums, and restore it.

    Raises
    ------
    ValueError
        If the precision is none.
    """
    import torch

    if precision not in PRECISIONS:
        raise ValueError(f"precision is {precision!r}, must be one of {', '.join(PRECISIONS)}")
    if device.type == "cuda":
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", WORKSPACE)  # read when cuBLAS starts
    threads, strictness = torch.get_num_threads(), torch.get_deterministic_debug_mode()
    fill = torch._C._get_deterministic_fill_uninitialized_memory()
    tf32 = torch.backends.cudnn.allow_tf32
    torch.set_num_threads(1)
    torch.set_deterministic_debug_mode(
        "error"
    )  # use_deterministic_algorithms would import the compiler first
    torch._C._set_deterministic_fill_uninitialized_memory(False)  # nothing is read before it is written
    torch.backends.cudnn.allow_tf32 = False
    try:
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=precision == "bfloat16"):
            yield
    finally:
        torch.backends.cudnn.allow_tf32 = tf32
        torch._C._set_deterministic_fill_uninitialized_memory(fill)
        torch.set_deterministic_debug_mode(strictness)
        torch.set_num_threads(threads)
