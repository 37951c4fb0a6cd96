import importlib.util
from pathlib import Path
from types import SimpleNamespace

import pytest


@pytest.fixture(scope="session")
def bench():
    """The benchmark's schedules by hand and its sequential loop."""
    pytest.importorskip("torch", reason="training needs torch")
    folder = Path(__file__).parents[2] / "benchmarks" / "runtime"
    made = _loaded(folder / "federation.py")
    return SimpleNamespace(
        federation=made.federation,
        MODALITIES=made.MODALITIES,
        CYCLES=_loaded(folder / "accuracy.py").CYCLES,
        train_one_by_one=_loaded(folder / "one_by_one.py").train_one_by_one,
    )


@pytest.fixture(scope="session")
def worlds():
    """Small schedules by hand."""
    return _beside("worlds")


@pytest.fixture(scope="session")
def kinds():
    """Schedules of the benchmark with other kinds of modules."""
    return _beside("kinds")


@pytest.fixture(scope="session")
def folders():
    """Writers of small folders of images and questions."""
    pytest.importorskip("PIL", reason="images need pillow")
    return _beside("folders")


@pytest.fixture(scope="session")
def split():
    """Schedules whose replicas are trained elsewhere."""
    return _beside("split_schedules")


@pytest.fixture(scope="session")
def parties():
    """Split execution by devices and hosts that exchange tensors alone."""
    return _beside("split_parties")


def _beside(name):
    return _loaded(Path(__file__).parent / f"{name}.py")


def _loaded(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
