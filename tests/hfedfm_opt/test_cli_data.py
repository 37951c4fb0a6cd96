"""Commands that train on folders of one's own."""

import json
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from hfedfm_opt.cli import call

pytest.importorskip("torch", reason="training needs torch")
pytest.importorskip("PIL", reason="images need pillow")

PAPER = Path(__file__).parents[2] / "instances" / "paper-40.json"
SMALL = {
    "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 48,
    "image_size": 32, "patch_size": 16, "vocab_size": 64, "max_position_embeddings": 10,
}  # fmt: skip


@pytest.fixture(scope="module")
def home(folders, tmp_path_factory):
    """A plan, and three folders for its three tasks."""
    home = tmp_path_factory.mktemp("home")
    assert call(["solve", str(PAPER), "--planner", "star", "-o", str(home / "plan.json")]) == 0
    folders.gqa(home / "gqa", 24)
    folders.artvqa(home / "art")
    folders.vizwiz(home / "viz")
    return home


@pytest.fixture
def here(home, monkeypatch):
    monkeypatch.chdir(home)
    return home


NAMED = ["--data", "read=gqa:gqa", "--data", "spoken=artvqa:art", "--data", "cmp=vizwiz:viz"]


def test_run_learns_from_folders_and_says_what_it_took(hfedfm, here):
    status, out, errors = hfedfm("run", "plan.json", "--rounds", 1, *NAMED)
    assert (status, errors) == (0, [])
    assert "spoken: 40 samples to train, 24 to test, 5 answers; 0 questions have other answers" in out
    assert len(re.findall(r"^  (?:cmp|read|spoken) +0\.\d+$", out, flags=re.MULTILINE)) == 3


@pytest.mark.skipif(find_spec("flwr") is None, reason="the engine is flwr: pip install 'hfedfm-opt[flower]'")
def test_flower_learns_from_the_same_folders_to_the_same_figures(here):
    """Each process that trains loads them for itself, by the names of the command line."""
    found = []
    for engine in ("local", "flower"):
        command = ["run", "plan.json", "--rounds", "1", *NAMED, "--precision", "bfloat16", "--json"]
        done = subprocess.run(
            [sys.executable, "-c", "from hfedfm_opt.cli import main; main()", *command, "--engine", engine],
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, "")
        found.append(json.loads(done.stdout))
    here_, there = found
    assert there["engine"] == "flower"
    for name in ("accuracy", "accuracy_of_task", "latency_s", "energy_j"):
        assert here_[name] == there[name]


def data_file(here, model=""):
    path = here / "data.toml"
    tables = [("read", "gqa", "gqa"), ("spoken", "artvqa", "art"), ("cmp", "vizwiz", "viz")]
    text = "".join(
        f'[tasks.{task}]\nformat = "{form}"\nfolder = "{folder}"\nnum_answers = 3\n'
        for task, form, folder in tables
    )
    path.write_text(text + model)
    return path


def test_a_data_file_names_tasks_and_the_model(hfedfm, here):
    pytest.importorskip("transformers", reason="ViLT needs transformers")
    config = "\n".join(f"{name} = {value}" for name, value in SMALL.items())
    data_file(here, f'[model]\nname = "vilt"\nbottleneck = 8\n[model.config]\n{config}\n')
    command = ("run", "plan.json", "--rounds", 1, "--data", "data.toml", "--json")
    status, out, errors = hfedfm(*command)
    assert (status, errors) == (0, [])
    assert set(json.loads(out)["accuracy_of_task"]) == {"cmp", "read", "spoken"}
    assert hfedfm(*command)[1] == out
    compact = hfedfm(*command, "--model", "compact")
    assert compact[0] == 0
    assert compact[1] != out


def test_a_folder_of_weights_is_a_model(hfedfm, here):
    transformers = pytest.importorskip("transformers", reason="ViLT needs transformers")
    from fl_runtime.modules.vilt_weights import _silent

    shutil.rmtree(here / "weights", ignore_errors=True)
    with _silent():
        transformers.ViltModel(transformers.ViltConfig(**SMALL)).save_pretrained(here / "weights")
    status, _, errors = hfedfm("run", "plan.json", "--rounds", 1, *NAMED, "--model", "vilt:weights")
    assert (status, errors) == (0, [])
    (here / "weights" / "model.safetensors").write_bytes(b"nothing")
    status, _, errors = hfedfm("run", "plan.json", "--rounds", 1, *NAMED, "--model", "vilt:weights")
    assert status == 2
    assert errors[0] == "hfedfm: model: 1 defect"
    assert "ViLT folder 'weights' cannot be loaded" in errors[1]


def test_compare_trains_every_method_on_folders(hfedfm, here):
    command = ("compare", PAPER, "--planners", "star,hierarchical:2", "--rounds", 1, "--seeds", 1, "--json")
    status, out, errors = hfedfm(*command, *NAMED)
    assert (status, errors) == (0, [])
    star = json.loads(out)["rows"][0]["accuracy"]
    run = hfedfm("run", "plan.json", "--rounds", 1, "--json", *NAMED)
    assert star == pytest.approx(json.loads(run[1])["accuracy"], rel=1e-12)


@pytest.mark.parametrize(
    ("arguments", "lines"),
    [
        (["--model", "vilt"], ["--model goes with data of your own: give --data as well"]),
        ([*NAMED, "--no-learning"], ["data are there to be learned: leave out --no-learning, or --data"]),
        (["--data", "gqa"], ["data: 1 defect", "'gqa' must be a .toml file or TASK=FORMAT:FOLDER"]),
        (["--data", "a.toml", "--data", "read=gqa:gqa"], ["data file 'a.toml': 1 defect", "cannot be read"]),
        ([*NAMED, "--data", "data.toml"], ["a .toml file names all tasks: give it as the only --data"]),
        ([*NAMED, "--model", "bert"], ["model: 1 defect", "'bert' must be compact, vilt or vilt:FOLDER"]),
        (
            ["--data", "read=gqa:none", "--data", "cmp=artvqa:gqa"],
            ["data: 2 defects", "folder 'none': is no folder", "has no training annotations train.json"],
        ),
        (NAMED[:4], ["unknown task 'cmp': the workload 'read+spoken' knows read, spoken"]),
    ],
)
def test_wrong_use_is_a_readable_error(hfedfm, here, arguments, lines):
    data_file(here)
    status, _, errors = hfedfm("run", "plan.json", "--rounds", 1, *arguments)
    assert status == 2
    assert len(errors) == len(lines)
    for expected, line in zip(lines, errors, strict=True):
        assert expected in line
