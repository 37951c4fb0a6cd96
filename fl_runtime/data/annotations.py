"""Questions and answers about images, out of the annotation files of GQA, ArtVQA and VizWiz.

Sources of the formats
----------------------
- GQA: https://cs.stanford.edu/people/dorarad/gqa/download.html: an object of question ids; of each question
  ``imageId`` (the image's file name without its ending), ``question`` and ``answer`` are read.
- ArtVQA: the AQUA data set, https://github.com/noagarcia/ArtVQA/tree/master/AQUA: a list of records;
  ``image`` (the file name in SemArt), ``question`` and ``answer`` are read; ``need_external_knowledge`` is
  not, since answers from knowledge are rarely among the frequent ones.
- VizWiz: https://vizwiz.org/tasks-and-datasets/vqa/: a list of records; ``image`` (the file name),
  ``question`` and ``answers`` (ten of {``answer``, ``answer_confidence``}) are read.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

from fl_runtime.defects import Defects

VqaFormat = Literal["gqa", "artvqa", "vizwiz"]
NUM_NAMED = 3
"""Of many defects of one kind in a file, so many are named."""

_KEYS: Mapping[str, Mapping[str, type]] = {
    "gqa": {"imageId": str, "question": str, "answer": str},
    "artvqa": {"image": str, "question": str, "answer": str},
    "vizwiz": {"image": str, "question": str, "answers": list},
}


class Question(NamedTuple):
    """A question about an image, and its answer in lower case without outer blanks."""

    image: str
    text: str
    answer: str


def read_questions(path: Path, form: VqaFormat, defects: Defects) -> list[Question]:
    """Return the questions of an annotation file; what is wrong with it is added to ``defects``.

    Records with a defect are left out of what is returned.
    """
    where = f"annotations {str(path)!r}"
    try:
        content = json.loads(path.read_bytes())
    except OSError as error:
        defects.add(where, f"cannot be read: {error.strerror}")
        return []
    except RecursionError:
        defects.add(where, "nested too deeply for annotations")
        return []
    except ValueError as error:  # no JSON, or no UTF-8
        defects.add(where, f"no JSON: {error}")
        return []
    expected = dict if form == "gqa" else list
    if not isinstance(content, expected):
        wanted = "an object of questions by id" if form == "gqa" else "a list of records"
        defects.add(
            where, f"is {_kind(content)}, the format {form} has {wanted}; give another format or file"
        )
        return []
    questions, wrong = [], []
    for name, record in content.items() if isinstance(content, dict) else enumerate(content):
        found = _question(record, form)
        if isinstance(found, Question):
            questions.append(found)
        else:
            wrong.append(f"{'question' if form == 'gqa' else 'record'} {name!r} {found}")
    for text in wrong[:NUM_NAMED]:
        defects.add(where, text)
    if len(wrong) > NUM_NAMED:
        defects.add(where, f"and {len(wrong) - NUM_NAMED} more of its {len(content)} records are wrong")
    return questions


def _question(record: object, form: VqaFormat) -> Question | str:
    """Return the question of a record, or what is wrong with the record."""
    if not isinstance(record, dict):
        return f"is {_kind(record)}, must be an object"
    for key, kind in _KEYS[form].items():
        if key not in record:
            needed = ", ".join(_KEYS[form])
            return f"lacks {key!r}; the format {form} needs {needed}"
        if not isinstance(record[key], kind):
            return f"has {_kind(record[key])} as {key!r}, must be {_NAMES[kind]}"
    if form != "vizwiz":
        answer = _plain(record["answer"])
    else:
        answers = list(_answers(record["answers"]))
        if not answers or None in answers:
            return "has 'answers' that are not a list of objects with a string 'answer', at least one"
        counts = Counter(answers)
        answer = min(counts, key=lambda text: (-counts[text], str(text))) or ""
    image = record["imageId" if form == "gqa" else "image"]
    return Question(image, record["question"], answer)


def _answers(records: list[Any]) -> Iterator[str | None]:
    for record in records:
        answer = record.get("answer") if isinstance(record, dict) else None
        yield _plain(answer) if isinstance(answer, str) else None


def _plain(answer: str) -> str:
    return answer.strip().lower()


_NAMES = {
    str: "a string",
    bool: "true or false",
    list: "a list",
    dict: "an object",
    int: "a number",
    float: "a number",
    type(None): "null",
}


def _kind(value: object) -> str:
    return _NAMES.get(type(value), type(value).__name__)
