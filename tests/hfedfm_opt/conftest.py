"""What the tests of the command line share."""

import importlib.util
from pathlib import Path

import pytest

from hfedfm_opt.cli.entry import call


@pytest.fixture
def hfedfm(capsys, monkeypatch):
    """Run a command in this process: its exit status, stdout and the lines of stderr."""
    monkeypatch.delenv("COLUMNS", raising=False)  # it would wrap what goes into a pipe

    def invoke(*arguments):
        status = call([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return status, captured.out, captured.err.splitlines()

    return invoke


@pytest.fixture(scope="session")
def folders():
    """Writers of small folders of images and questions."""
    path = Path(__file__).parents[1] / "fl_runtime" / "folders.py"
    spec = importlib.util.spec_from_file_location("folders", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
