from pathlib import Path

import pytest

from fl_runtime.data import VqaFolder, named_folder, read_data_file
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
    assert read_data_file(path) == (
        VqaFolder(task="things", format="gqa", folder=tmp_path / "gqa", num_answers=20),
        VqaFolder(task="street signs", format="vizwiz", folder=Path("/data/vizwiz"), balanced=False),
    )


def test_all_defects_of_a_file_are_told_together(tmp_path):
    path = written(
        tmp_path,
        'model = "vilt"\n[tasks.a]\nformat = "gqa"\nfolder = "a"\nnum_answer = 3\n'
        '[tasks.b]\nformat = "coco"\nfolder = "b"\nnum_answers = "many"\n[tasks.c]\nformat = "gqa"\n',
    )
    with pytest.raises(DataError) as caught:
        read_data_file(path)
    lines = "\n".join(caught.value.defects)
    assert "'model': is unknown; the file has one table [tasks.NAME] of each task" in lines
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
