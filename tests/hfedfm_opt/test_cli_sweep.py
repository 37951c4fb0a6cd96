import json
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAPER = ROOT / "instances" / "paper-40.json"
QUICK = ("--rounds", 1, "--seeds", 1, "--periods", "1", "--momentum", "0")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--bits", "5"), "--bits has '5', must be 32, 16, 8, 4, 3, 2, 1, or two of them as in 2/8"),
        (("--bits", "4,2/8/1"), "--bits has '2/8/1'"),
        (("--periods", "0"), "--periods has '0', must be whole numbers >= 1 or never"),
        (("--periods", "2,2"), "--periods is '2,2': give each once"),
        (("--momentum", "1"), "--momentum has '1', must be numbers at least 0 and below 1"),
        (("--accuracy-floor", "reference-x"), "--accuracy-floor is 'reference-x', must be percent"),
        (("--accuracy-floor", "101"), "--accuracy-floor is '101', must be percent from 0 to 100"),
        (("--max-latency", "-1"), "--max-latency is -1, must be > 0"),
        (("--module-periods", "head=2"), "--module-periods has 'head=2', must be measured, or MODULE=E of"),
        (("--resume",), "--resume needs the folder whose runs it uses: give -o DIR"),
        (("--planner", "star"), "a sweep cannot take planner 'star', must be one that takes a period"),
    ],
)
def test_wrong_use_is_answered_with_what_it_must_be(hfedfm, arguments, message):
    status, out, errors = hfedfm("sweep", PAPER, *arguments)

    assert (status, out) == (2, "")
    assert errors[0].startswith(f"hfedfm: {message}")


def test_a_folder_with_runs_is_not_mixed_with_new_ones(hfedfm, tmp_path):
    (tmp_path / "runs.jsonl").write_text("")

    status, _, errors = hfedfm("sweep", PAPER, "-o", tmp_path)

    assert status == 2
    assert errors == [
        f"hfedfm: {tmp_path}: holds runs of a sweep: use them (--resume), or give another folder"
    ]


def test_a_sweep_writes_its_folder_and_goes_on_from_it(hfedfm, tmp_path):
    pytest.importorskip("torch", reason="training needs torch")
    arguments = ("sweep", PAPER, *QUICK, "--bits", "2", "--max-energy", 10, "-o", tmp_path)
    status, out, errors = hfedfm(*arguments)
    again, text, _ = hfedfm(*arguments, "--resume", "--json", "--module-periods", "adapter=2")

    document = json.loads(text)
    assert (status, again, errors) == (0, 0, [])
    assert "E = 1, 2 bits" in out
    assert out.splitlines()[-1] == f"written to {tmp_path}"
    assert {row["name"] for row in document["rows"]} == {
        "E = 2, 32 bits", "E = 1, 2 bits", "E = 1 (adapter 2), 2 bits",
    }  # fmt: skip
    assert document["num_trained"] == 1
    assert hfedfm("check", PAPER, tmp_path / "plan.json")[0] == 0


def test_nothing_within_the_limits_is_exit_status_1(hfedfm):
    pytest.importorskip("torch", reason="training needs torch")
    status, _, errors = hfedfm("sweep", PAPER, *QUICK, "--bits", "4", "--max-energy", 1)

    assert status == 1
    assert errors[-1].endswith("no candidate within the limits ran with all seeds")
