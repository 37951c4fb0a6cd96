"""What docs/data.md shows works, one after the other in one folder."""

import re
import shlex
from pathlib import Path

import pytest

from fl_runtime.data import read_data_file

torch = pytest.importorskip("torch", reason="training needs torch")
pytest.importorskip("PIL", reason="images need pillow")

PAGE = (Path(__file__).parents[2] / "docs" / "data.md").read_text(encoding="utf-8")


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", PAGE, flags=re.DOTALL)


def test_the_page_works_from_top_to_bottom(hfedfm, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_folder, learn = blocks("python")
    names = {}
    exec(compile(write_folder, "docs/data.md", "exec"), names)
    (console,) = blocks("console")
    for line in console.splitlines():
        program, *arguments = shlex.split(line.removeprefix("$ "))
        assert program == "hfedfm"
        status, out, errors = hfedfm(*arguments)
        assert (status, errors) == (0, [])
    accuracy = float(re.search(r"^accuracy +([\d.]+)", out, flags=re.MULTILINE)[1])
    assert accuracy > 0.3  # five answers
    exec(compile(learn, "docs/data.md", "exec"), names)


def test_the_data_file_of_the_page_runs(hfedfm, tmp_path, monkeypatch):
    pytest.importorskip("transformers", reason="ViLT needs transformers")
    monkeypatch.chdir(tmp_path)
    exec(compile(blocks("python")[0], "docs/data.md", "exec"), {})
    (text,) = blocks("toml")
    Path("data.toml").write_text(text, encoding="utf-8")
    assert {folder.task for folder in read_data_file(Path("data.toml")).folders} == {"read", "spoken", "cmp"}
    hfedfm("generate", "city", "--devices", 4, "--edges", 1, "-o", "city.json")
    hfedfm("solve", "city.json", "--planner", "star", "-o", "plan.json")
    status, out, errors = hfedfm("run", "plan.json", "--rounds", 1, "--data", "data.toml")
    assert (status, errors) == (0, [])
    assert "spoken: 100 samples to train" in out  # twenty of each answer


def test_the_tables_name_every_setting():
    from dataclasses import fields

    from fl_runtime.data import ModelChoice, VqaFolder

    for field in (*fields(VqaFolder), *fields(ModelChoice)):
        assert f"`{field.name}`" in PAGE or f"[model.{field.name}]" in PAGE or field.name == "task"
