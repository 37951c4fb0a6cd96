import importlib.util
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def bench():
    """The benchmark's schedules by hand and its sequential loop."""
    pytest.importorskip("torch", reason="training needs torch")
    path = Path(__file__).parents[2] / "benchmarks" / "runtime.py"
    spec = importlib.util.spec_from_file_location("runtime_benchmark", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def worlds():
    """Small schedules by hand."""
    spec = importlib.util.spec_from_file_location("worlds", Path(__file__).parent / "worlds.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
