"""The commands of docs/command-line.md print what it shows.

``python tests/hfedfm_opt/test_cli_docs.py`` writes what they print now into the document.
"""

import contextlib
import io
import os
import re
import shlex
import tempfile
from pathlib import Path

import pytest

from hfedfm_opt.cli import call

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs" / "command-line.md"
BLOCK = re.compile(r"```console\n(.*?)```", re.DOTALL)
NUMBER = re.compile(r"(?<![\w:.-])\d[\d,]*(?:\.\d+)?(?:e[+-]?\d+)?")
UNSTABLE = re.compile(
    r"^(time|gap|accuracy|chosen| E = |  (cmp|read|spoken|clusters|deadline|placement|plan) |hfedfm \d)"
    r'|"(seconds|gap)"'
)
"""Lines whose numbers are wall time, rounding, a version, or what a library's sums make of training."""


def commands_of(block):
    """Return pairs of a command and the output that is shown for it."""
    parts = re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]
    return [tuple(part.split("\n", 1)) for part in parts]


def printed_by(command):
    program, *arguments = shlex.split(command)
    assert program == "hfedfm"
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        call(arguments)
    return out.getvalue()


def rewritten(text):
    """Return the document with what its commands print now; runs in the working folder."""

    def block(found):
        shown = "".join(f"$ {command}\n{printed_by(command)}" for command, _ in commands_of(found[1]))
        return f"```console\n{shown}```"

    return BLOCK.sub(block, text)


def enter(folder):
    (Path(folder) / "instances").symlink_to(ROOT / "instances")
    os.chdir(folder)
    os.environ["COLUMNS"] = "100"


def words_of(line):
    if UNSTABLE.search(line):
        line = re.sub(r"(?<![\w.])[-+](?=\d)", "", line)  # the sign of a difference may turn, too
    return re.sub(r"[\s─]+", " ", NUMBER.sub("#", line)).strip()


def stable_numbers_of(line):
    if UNSTABLE.search(line):
        return []
    return [float(number.replace(",", "")) for number in NUMBER.findall(line)]


@pytest.fixture(scope="module")
def document(tmp_path_factory):
    pytest.importorskip("torch", reason="a command trains")
    pytest.importorskip("plotly", reason="a command writes a report")
    folder, columns = os.getcwd(), os.environ.get("COLUMNS")
    try:
        enter(tmp_path_factory.mktemp("docs"))
        return rewritten(DOCUMENT.read_text(encoding="utf-8"))
    finally:
        os.chdir(folder)
        os.environ.pop("COLUMNS") if columns is None else os.environ.update(COLUMNS=columns)


def both(document):
    """Yield for each command the lines that are shown and those that are printed now."""
    shown, printed = (
        [pair for block in BLOCK.findall(text) for pair in commands_of(block)]
        for text in (DOCUMENT.read_text(encoding="utf-8"), document)
    )
    for (command, before), (same, now) in zip(shown, printed, strict=True):
        assert command == same
        yield command, before.splitlines(), now.splitlines()


def test_each_command_prints_the_words_that_are_shown(document):
    for command, shown, printed in both(document):
        assert [words_of(line) for line in shown] == [words_of(line) for line in printed], command


def test_each_command_prints_the_numbers_that_are_shown(document):
    for command, shown, printed in both(document):
        for line, now in zip(shown, printed, strict=True):
            expected = stable_numbers_of(line)
            assert stable_numbers_of(now) == pytest.approx(expected, rel=1e-3), (command, line)


def test_every_command_has_an_example():
    import typer.main

    from hfedfm_opt.cli.entry import app

    text = DOCUMENT.read_text(encoding="utf-8")
    names = set(typer.main.get_command(app).commands)

    assert len(names) == 14
    for name in names:
        assert f"\n$ hfedfm {name}" in text
        assert f"\n## {name}\n" in text


def commands():
    """Yield all commands with their names, those of groups too."""
    import typer.main

    from hfedfm_opt.cli.entry import app

    for name, command in typer.main.get_command(app).commands.items():
        yield name, command
        yield from ((f"{name} {part}", inner) for part, inner in getattr(command, "commands", {}).items())


def test_every_option_is_explained():
    text = DOCUMENT.read_text(encoding="utf-8")
    for name, command in commands():
        for parameter in command.params:
            for option in parameter.opts:
                if option.startswith("-") and option not in ("--help", "--output"):
                    assert re.search(rf"`{option}\b|\$ hfedfm .* {option}\b", text), (name, option)


if __name__ == "__main__":
    text = DOCUMENT.read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as temporary:
        enter(temporary)
        DOCUMENT.write_text(rewritten(text), encoding="utf-8")
        os.chdir(ROOT)
