import json

import numpy as np
import pytest

from fl_runtime.data import InputFormat, VqaFolder, load_vqa
from fl_runtime.errors import DataError

ALL = {"num_answers": 5, "train_of_class": None, "test_of_class": None}


def folder_of(path, form, task="things", **settings):
    return VqaFolder(task=task, format=form, folder=path, **{**ALL, **settings})


def defects_of(*folders, **settings):
    with pytest.raises(DataError) as caught:
        load_vqa(list(folders), **settings)
    return caught.value.defects


@pytest.mark.parametrize("form", ["gqa", "artvqa", "vizwiz"])
def test_each_format_becomes_a_task_of_images_and_questions(folders, tmp_path, form):
    task = load_vqa(folder_of(getattr(folders, form)(tmp_path), form)).task("things")
    assert set(task.answers) == {"red", "green", "blue", "left", "right"}
    assert task.num_classes == 5
    assert task.train.inputs["image"].shape == (len(task.train), 24, 24)
    assert task.train.inputs["text"].shape == (len(task.train), 7)  # begin, five words, end
    assert len(task.test) > 0
    for part in (task.train, task.test):
        images = part.inputs["image"]
        assert images.dtype == np.float32
        assert images.min() >= 0
        assert images.max() <= 1
        assert not images.flags.writeable


def test_a_sample_has_the_image_the_question_and_the_answer_of_its_record(folders, tmp_path):
    wanted = InputFormat(image_size=8, colour=True)
    task = load_vqa(folder_of(folders.artvqa(tmp_path), "artvqa"), wanted).task("things")
    for image, text, label in zip(
        task.test.inputs["image"], task.test.inputs["text"], task.test.labels, strict=True
    ):
        left = np.abs(image[:, 1].astype(int) - 115).max() > 60  # beyond the grey noise
        side = image[:, 1] if left else image[:, 6]
        colour = list(folders.COLOURS)[int(side.mean(axis=0).argmax())]
        asked_for_colour = np.count_nonzero(text) == 6  # what colour is it; which side has the colour
        assert task.answers[label] == (colour if asked_for_colour else "left" if left else "right")


def test_classes_are_the_most_frequent_answers_with_ties_by_text_and_the_others_are_counted(
    folders, tmp_path
):
    folders.artvqa(tmp_path, num_train=24, num_test=12)
    task = load_vqa(folder_of(tmp_path, "artvqa", num_answers=3)).task("things")
    assert task.answers == ("left", "right", "blue")  # 12, 12, and blue before green and red with 8 each
    assert task.left_out == {"train": 16, "test": 8}
    assert np.bincount(task.train.labels).tolist() == [8, 8, 8]
    whole = load_vqa(folder_of(tmp_path, "artvqa", num_answers=3, balanced=False)).task("things")
    assert np.bincount(whole.train.labels).tolist() == [12, 12, 8]


def test_the_label_of_vizwiz_is_the_most_frequent_answer_with_ties_by_text(folders, tmp_path):
    def record(image, *answers):
        said = [{"answer": answer, "answer_confidence": "maybe"} for answer in answers]
        return {"image": image, "question": "?", "answers": said, "answerable": 1}

    found = list(folders.items(4))
    folders.save_images(tmp_path / "images", found)
    names = [f"{name}.png" for name, _, _ in found]
    folders.write(
        tmp_path / "train.json", [record(names[0], "b", "a", "B ", "c"), record(names[1], "d", "a")]
    )
    folders.write(tmp_path / "val.json", [record(names[2], "a"), record(names[3], "c")])
    task = load_vqa(folder_of(tmp_path, "vizwiz")).task("things")
    assert task.answers == ("a", "b")  # one each
    assert task.left_out == {"train": 0, "test": 1}


def test_samples_of_a_class_are_limited_and_drawn_by_the_seed(folders, tmp_path):
    folders.gqa(tmp_path, 60)
    few = folder_of(tmp_path, "gqa", train_of_class=4, test_of_class=2)
    first, again, other = (load_vqa(few, seed=seed).task("things") for seed in (0, 0, 1))
    assert np.bincount(first.train.labels).tolist() == [4] * 5
    assert np.bincount(first.test.labels).max() == 2
    assert first.train.inputs["image"].tobytes() == again.train.inputs["image"].tobytes()
    assert first.train.inputs["image"].tobytes() != other.train.inputs["image"].tobytes()


def test_without_a_test_file_no_image_is_in_both_sets(folders, tmp_path):
    folders.gqa(tmp_path, 30)
    task = load_vqa(folder_of(tmp_path, "gqa", balanced=False, test_share=0.3)).task("things")
    train, test = ({row.tobytes() for row in part.inputs["image"]} for part in (task.train, task.test))
    assert (len(train), len(test)) == (21, 9)
    assert not train & test


def test_questions_of_all_tasks_share_one_vocabulary(folders, tmp_path):
    gqa = folder_of(folders.gqa(tmp_path / "a"), "gqa", "things")
    art = folder_of(folders.artvqa(tmp_path / "b"), "artvqa", "art")
    workload = load_vqa([gqa, art])
    assert workload.modalities == ("image", "text")
    assert set(workload.tasks) == {"things", "art"}
    asked = {
        " ".join(workload.words[token] for token in row if token)
        for task in workload.tasks.values()
        for row in task.test.inputs["text"]
    }
    assert asked == {"[CLS] what colour is it [SEP]", "[CLS] which side has the colour [SEP]"}


def test_rare_words_are_unknown_and_long_questions_are_cut(folders, tmp_path):
    folders.gqa(tmp_path)
    workload = load_vqa(folder_of(tmp_path, "gqa"), InputFormat(num_tokens=8, text_length=5))
    assert workload.words[:4] == ("[PAD]", "[UNK]", "[CLS]", "[SEP]")
    assert len(workload.words) == 8
    tokens = workload.task("things").train.inputs["text"]
    assert tokens.shape[1] == 5
    assert tokens.max() < 8
    assert (tokens == 1).any()


def test_a_model_may_bring_its_own_tokeniser(folders, tmp_path):
    def tokenise(questions):
        return np.array([[len(text), 9, 0] for text in questions], dtype=np.int64)

    workload = load_vqa(folder_of(folders.gqa(tmp_path), "gqa"), InputFormat(tokenise=tokenise))
    assert workload.words == ()
    tokens = workload.task("things").test.inputs["text"]
    assert set(tokens[:, 0]) == {len("What colour is it?"), len("Which side has the colour?")}
    assert tokens.shape[1] == 2  # the column of zeros is gone


def test_images_are_turned_as_their_camera_says(folders, tmp_path):
    from PIL import Image

    folders.gqa(tmp_path)
    turned = Image.fromarray(np.repeat([[0, 255]], 2, axis=0).astype(np.uint8)).resize((40, 40), 0)
    exif = turned.getexif()
    exif[0x0112] = 3  # upside down
    turned.save(tmp_path / "images" / "img000.png", exif=exif)
    workload = load_vqa(folder_of(tmp_path, "gqa", balanced=False), InputFormat(image_size=2))
    images = np.concatenate([part.inputs["image"] for part in _parts(workload)])
    assert any(image[:, 0].min() > 0.7 and image[:, 1].max() < 0.3 for image in images)


def _parts(workload):
    task = workload.task("things")
    return task.train, task.test


def test_all_defects_of_all_folders_are_told_together(folders, tmp_path):
    pictures = folders.gqa(tmp_path / "pictures")
    (pictures / "images" / "img003.png").unlink()
    (pictures / "images" / "img004.png").write_bytes(b"no picture")
    whole = (pictures / "images" / "img005.png").read_bytes()
    (pictures / "images" / "img005.png").write_bytes(whole[: len(whole) // 2])
    broken = folders.artvqa(tmp_path / "broken")
    (broken / "train.json").write_text('[{"image": ')
    keys = folders.vizwiz(tmp_path / "keys")
    records = json.loads((keys / "Annotations/train.json").read_text())
    del records[0]["question"]
    records[1]["answers"] = "yes"
    records[2] = 7
    records[3]["answers"] = [{"reply": "yes"}]
    folders.write(keys / "Annotations/train.json", records)
    lines = "\n".join(
        defects_of(
            folder_of(pictures, "gqa", "a", balanced=False),
            folder_of(broken, "artvqa", "b"),
            folder_of(keys, "vizwiz", "c"),
            folder_of(tmp_path / "nowhere", "gqa", "d"),
        )
    )
    for expected in (
        "task 'a': images of training questions that are missing: 'img003'",
        "img004.png' (no image)",
        "img005.png' (",
        "train.json': no JSON: Expecting value: line 1 column 12 (char 11)",
        "train.json': record 0 lacks 'question'; the format vizwiz needs image, question, answers",
        "train.json': record 1 has a string as 'answers', must be a list",
        "train.json': record 2 is a number, must be an object",
        "train.json': and 1 more of its 48 records are wrong",
        "nowhere': is no folder",
    ):
        assert expected in lines


def test_one_error_names_the_wrong_format(folders, tmp_path):
    (line,) = defects_of(folder_of(folders.gqa(tmp_path), "gqa", train="nothing.json"))
    assert line.endswith("has no training annotations nothing.json; name the file by 'train'")
    (line,) = defects_of(folder_of(tmp_path, "artvqa", train="train_balanced_questions.json"))
    assert "is an object, the format artvqa has a list of records; give another format or file" in line


def test_too_few_answers_are_refused(folders, tmp_path):
    folders.gqa(tmp_path)
    questions = json.loads((tmp_path / "train_balanced_questions.json").read_text())
    same = {name: {**question, "answer": "yes"} for name, question in questions.items()}
    folders.write(tmp_path / "train_balanced_questions.json", same)
    (line,) = defects_of(folder_of(tmp_path, "gqa"))
    assert line == "task 'things': its training questions have 1 different answers, must be 2 at least"
    folders.write(tmp_path / "train_balanced_questions.json", {})
    (line,) = defects_of(folder_of(tmp_path, "gqa"))
    assert "0 different answers" in line


def test_an_image_in_both_files_is_refused(folders, tmp_path):
    folders.artvqa(tmp_path)
    records = json.loads((tmp_path / "train.json").read_text())
    folders.write(tmp_path / "test.json", records[:2])
    (line,) = defects_of(folder_of(tmp_path, "artvqa"))
    assert line == "task 'things': images in both training and test annotations: 'train-000.png'"


def test_images_beyond_the_limit_of_bytes_are_not_read(folders, tmp_path):
    folder = folder_of(folders.artvqa(tmp_path), "artvqa", train_of_class=2, test_of_class=1)
    wanted = InputFormat(image_size=100, colour=True)
    (line,) = defects_of(folder, wanted=wanted, max_bytes=15 * 30_000 - 1)
    assert line.startswith("images: 15 samples of 100 x 100 x 3 take 450000 bytes, must be at most 449999")
    assert load_vqa(folder, wanted, max_bytes=15 * 30_000).tasks


def test_no_folders_are_refused():
    assert defects_of() == ("tasks: there are none, must be one at least",)


def test_settings_that_cannot_be_are_refused_together(tmp_path):
    wrong = folder_of(tmp_path, "gqa", num_answers=1, train_of_class=0, test_share=1.5)
    assert defects_of(wrong) == (
        "task 'things': num_answers is 1, must be a whole number >= 2",
        "task 'things': train_of_class is 0, must be a whole number >= 1",
        "task 'things': test_share is 1.5, must be below 1",
    )
