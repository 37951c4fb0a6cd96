import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fl_runtime.data.annotations import Question, read_questions
from fl_runtime.defects import Defects

FORMATS = ("gqa", "artvqa", "vizwiz")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)
TEXT = st.text(max_size=6)
RECORD = st.fixed_dictionaries(
    {},
    optional={
        "image": TEXT | JSON,
        "imageId": TEXT | JSON,
        "question": TEXT | JSON,
        "answer": TEXT | JSON,
        "need_external_knowledge": st.booleans() | JSON,
        "answers": st.lists(st.fixed_dictionaries({"answer": TEXT | JSON}), max_size=3) | JSON,
    },
)


def read(path, form):
    defects = Defects()
    return read_questions(path, form, defects), defects.lines


@given(content=JSON | st.lists(RECORD, max_size=4) | st.dictionaries(TEXT, RECORD, max_size=4))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
def test_whatever_a_file_holds_gives_questions_or_readable_defects(tmp_path, content):
    path = tmp_path / "file.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    for form in FORMATS:
        questions, lines = read(path, form)
        records = len(content) if isinstance(content, list | dict) else 0
        assert all(isinstance(question, Question) for question in questions)
        assert all(isinstance(part, str) for question in questions for part in question)
        assert all(question.answer == question.answer.strip().lower() for question in questions)
        assert len(questions) == records or lines
        assert all("\n" not in line for line in lines)


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"", "no JSON: Expecting value: line 1 column 1 (char 0)"),
        (b"\xff\xfe\xfd\xfc\x00", "no JSON: "),
        (b"[" * 100_000, "nested too deeply for annotations"),
        (b"7", "is a number, the format artvqa has a list of records; give another format or file"),
    ],
)
def test_a_file_that_is_none_is_one_line(tmp_path, content, line):
    path = tmp_path / "file.json"
    path.write_bytes(content)
    questions, lines = read(path, "artvqa")
    assert questions == []
    assert len(lines) == 1
    assert lines[0].startswith(f"annotations {str(path)!r}: {line}")


def test_a_folder_in_place_of_a_file_is_one_line(tmp_path):
    assert read(tmp_path, "gqa")[1] == [f"annotations {str(tmp_path)!r}: cannot be read: Is a directory"]


def test_keys_that_are_not_read_are_passed_over(tmp_path):
    path = tmp_path / "questions.json"
    content = {
        "1": {"imageId": "2407890", "question": "Is it?", "answer": " Yes", "semantic": [], "groups": {}}
    }
    path.write_text(json.dumps(content), encoding="utf-8")
    assert read(path, "gqa") == ([Question("2407890", "Is it?", "yes")], [])
