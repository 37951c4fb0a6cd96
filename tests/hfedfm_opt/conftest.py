"""What the tests of the command line share."""

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
