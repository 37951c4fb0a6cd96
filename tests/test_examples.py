"""The examples run, the commands of docs/embedding.md work word for word, and the base package is enough."""

import os
import re
import subprocess
import sys
from importlib.metadata import requires
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "embedding.md"
NEEDS = {"flower_strategy": "flwr", "pytorch_loop": "torch"}
COMMANDS = re.findall(r"```sh\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)


@pytest.fixture
def home(tmp_path):
    """A folder with what a copy of the project has."""
    for name in ("examples", "instances"):
        (tmp_path / name).symlink_to(ROOT / name)
    return tmp_path


def run(command, folder):
    paths = [str(Path(sys.executable).parent), os.environ["PATH"]]
    environment = os.environ | {"PATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        command, shell=True, cwd=folder, capture_output=True, text=True, env=environment, check=False
    )


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.split()[1])
def test_the_commands_of_the_page_work(command, home):
    for name, package in NEEDS.items():
        if f"{name}.py" in command:
            pytest.importorskip(package, reason=f"the example needs {package}")
    done = run(command, home)

    assert done.returncode == 0, done.stderr
    assert done.stdout


def test_each_example_is_on_the_page():
    shown = set(re.findall(r"python examples/(\w+)\.py", "".join(COMMANDS)))

    assert shown == {path.stem for path in (ROOT / "examples").glob("*.py")}


def test_the_loop_in_pytorch_averages_as_the_schedule_says(home):
    pytest.importorskip("torch", reason="the example needs torch")
    lines = run(f"{sys.executable} examples/pytorch_loop.py", home).stdout.splitlines()

    assert [int(re.search(r"(\d+) different", line)[1]) for line in lines] == [10, 1] * 4


def test_the_base_package_asks_for_neither_torch_nor_flwr():
    always = [line for line in requires("hfedfm-opt") if "extra ==" not in line]
    names = {re.match(r"[\w.-]+", line)[0].lower() for line in always}

    assert {"numpy", "ortools"} <= names
    assert names.isdisjoint({"torch", "flwr", "ray", "transformers", "safetensors"})
    assert any(re.match(r"flwr\b.*extra == ['\"]flower['\"]", line) for line in requires("hfedfm-opt"))


def test_the_example_of_the_solvers_loads_neither_torch_nor_flwr(home):
    code = (
        "import runpy, sys; runpy.run_path('examples/solvers_alone.py'); "
        "print(sorted({'torch', 'flwr', 'ray', 'fl_runtime', 'hfedfm_opt'} & set(sys.modules)))"
    )
    done = run(f'{sys.executable} -c "{code}"', home)

    assert done.stdout.splitlines()[-1] == "[]", done.stderr


def test_importing_the_runtime_does_not_load_flower():
    code = "import sys, fl_runtime, hfedfm_opt.cli.run; print({'flwr', 'ray', 'torch'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "set()"
