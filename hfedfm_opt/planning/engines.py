"""The engines of :mod:`hfedfm_opt.planning.workers`, through joblib: processes, a Ray and a Dask cluster."""

import logging
import os
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from types import MappingProxyType
from typing import Any

from solvers.common import MissingBackend

RAY_ADDRESS = "RAY_ADDRESS"
"""Environment variable with the address of a running Ray cluster, as Ray has it; ``auto``: this machine's."""
DASK_ADDRESS = "DASK_SCHEDULER_ADDRESS"
"""Environment variable with the address of a running Dask scheduler, as Dask has it."""


@dataclass(frozen=True)
class Hired:
    """An open ``joblib.Parallel``, and how many pieces of work it does at a time."""

    parallel: Any
    jobs: int


@contextmanager
def processes(jobs: int | None) -> Iterator[Hired]:
    """Give a ``joblib.Parallel`` of processes beside this one; they end with it."""
    from joblib import Parallel, parallel_config
    from joblib.externals.loky import get_reusable_executor

    kill = True
    try:
        with parallel_config(backend="loky", inner_max_num_threads=1):
            parallel = Parallel(n_jobs=jobs or 1, max_nbytes=None)
        with parallel:
            yield Hired(parallel, jobs or 1)
        kill = False
    finally:
        get_reusable_executor(kill_workers=kill).shutdown(wait=True, kill_workers=kill)


@contextmanager
def ray_cluster(jobs: int | None) -> Iterator[Hired]:
    """Give a ``joblib.Parallel`` of Ray's workers: of ``RAY_ADDRESS``, else of a Ray begun here.

    A Ray that this process is connected to already is used and left as it is.
    """
    import ray
    from joblib import Parallel, effective_n_jobs, parallel_config
    from ray.util.joblib import register_ray

    begins = not ray.is_initialized()
    there: dict[str, Any] = {"address": os.environ.get(RAY_ADDRESS)}
    if there["address"] is None:
        there = {"address": "local", "num_cpus": jobs, "include_dashboard": False}
    if begins:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # a tip about later versions of Ray
            ray.init(**there, log_to_driver=False, logging_level=logging.ERROR)
    try:
        register_ray()
        with parallel_config(backend="ray"):
            parallel = Parallel(n_jobs=jobs or -1, max_nbytes=None)
            num_workers = effective_n_jobs(jobs or -1)
        with parallel:
            yield Hired(parallel, num_workers)
    finally:
        if begins:
            ray.shutdown()


@contextmanager
def dask_cluster(jobs: int | None) -> Iterator[Hired]:
    """Give a ``joblib.Parallel`` of Dask's workers: of ``DASK_SCHEDULER_ADDRESS``, else begun here."""
    from distributed import Client
    from joblib import Parallel, effective_n_jobs, parallel_config

    address = os.environ.get(DASK_ADDRESS)
    begun: dict[str, Any] = {"n_workers": jobs, "threads_per_worker": 1, "dashboard_address": None}
    with Client(address) if address else Client(**begun):
        with parallel_config(backend="dask"):
            parallel = Parallel(n_jobs=jobs or -1)
            num_workers = effective_n_jobs(jobs or -1)
        with parallel:
            yield Hired(parallel, num_workers)


ENGINES: Mapping[str, Callable[[int | None], AbstractContextManager[Hired]]] = MappingProxyType(
    {"processes": processes, "ray": ray_cluster, "dask": dask_cluster}
)
"""By name, what hires so many workers, or all that there are."""


PACKAGES: Mapping[str, str] = MappingProxyType({"ray": "ray", "dask": "distributed"})
"""The package that an engine needs, where joblib is not enough; the extra has the engine's name."""


def require(engine: str) -> None:
    """Refuse an engine whose package is not installed.

    Raises
    ------
    MissingBackend
        With the extra that has it.
    """
    package = PACKAGES.get(engine)
    if package is not None and find_spec(package) is None:
        raise MissingBackend(
            f"engine {engine!r} needs the package {package!r}, which is not installed: "
            f"pip install 'hfedfm-opt[{engine}]'"
        )
