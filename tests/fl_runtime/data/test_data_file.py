from pathlib import Path

import pytest

from fl_runtime.data import DataFile, ModelChoice, VqaFolder, named_folder, named_model, read_data_file
from fl_runtime.errors import DataError


def written(tmp_path, text):
    path = tmp_path / "data.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_file_names_tasks_with_their_folders_and_settings(tmp_path):
    path = written(
        tmp_path,
        '[tasks.things]\nformat = "gqa"\nfolder = "gqa"\nnum_answers = 20\n'
        '[tasks."street signs"]\nformat = "vizwiz"\nfolder = "/data/vizwiz"\nbalanced = false\n',
    )
    assert read_data_file(path).folders == (
        VqaFolder(task="things", format="gqa", folder=tmp_path / "gqa", num_answers=20),
        VqaFolder(task="street signs", format="vizwiz", folder=Path("/data/vizwiz"), balanced=False),
    )


def test_a_file_may_name_the_model_and_the_limit(tmp_path):
    path = written(
        tmp_path,
        'max_bytes = 1000\n[tasks.a]\nformat = "gqa"\nfolder = "a"\n'
        '[model]\nname = "vilt"\nnum_blocks = 2\n[model.config]\nhidden_size = 32\n',
    )
    assert read_data_file(path) == DataFile(
        (VqaFolder(task="a", format="gqa", folder=tmp_path / "a"),),
        ModelChoice(name="vilt", num_blocks=2, config={"hidden_size": 32}),
        1000,
    )


def test_all_defects_of_a_file_are_told_together(tmp_path):
    path = written(
        tmp_path,
        'modle = "vilt"\nmodel = "vilt"\nmax_bytes = 0\n'
        '[tasks.a]\nformat = "gqa"\nfolder = "a"\nnum_answer = 3\n'
        '[tasks.b]\nformat = "coco"\nfolder = "b"\nnum_answers = "many"\n[tasks.c]\nformat = "gqa"\n',
    )
    with pytest.raises(DataError) as caught:
        read_data_file(path)
    lines = "\n".join(caught.value.defects)
    assert "'modle': is unknown; did you mean 'model'?" in lines
    assert "model: is 'vilt', must be a table" in lines
    assert "data file: max_bytes is 0, must be a whole number >= 1" in lines
    assert "tasks.a: num_answer: is unknown; did you mean 'num_answers'?" in lines
    assert "tasks.b: format: is 'coco': Input should be 'gqa', 'artvqa' or 'vizwiz'" in lines
    assert "tasks.b: num_answers: is 'many'" in lines
    assert "tasks.c: lacks 'folder'" in lines


@pytest.mark.parametrize(
    ("text", "message"),
    [("x = [", "no TOML"), ("", "tasks: there are none; add a table"), ("tasks = 3", "there are none")],
)
def test_a_file_without_tasks_is_refused(tmp_path, text, message):
    with pytest.raises(DataError, match=message):
        read_data_file(written(tmp_path, text))


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(DataError, match="cannot be read: No such file"):
        read_data_file(tmp_path / "none.toml")


def test_a_task_may_be_named_in_a_word():
    found = named_folder("read=gqa:data/gqa=1:2")
    assert found == VqaFolder(task="read", format="gqa", folder=Path("data/gqa=1:2"))
    with pytest.raises(DataError, match=r"must be a \.toml file or TASK=FORMAT:FOLDER"):
        named_folder("data/gqa")
    with pytest.raises(DataError, match="format names 'gq', which is no format of annotations; did you mean"):
        named_folder("read=gq:data")


def test_a_model_may_be_named_in_a_word():
    assert named_model("compact") == ModelChoice()
    assert named_model("vilt") == ModelChoice(name="vilt")
    assert named_model("vilt:weights/b32") == ModelChoice(name="vilt", folder=Path("weights/b32"))
    for wrong in ("bert", "vilt:", "compact:x"):
        with pytest.raises(DataError, match=f"'{wrong}' must be compact, vilt or vilt:FOLDER"):
            named_model(wrong)
