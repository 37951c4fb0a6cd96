"""Writes small folders of images and questions in the formats of GQA, ArtVQA and VizWiz."""

import json

import numpy as np

COLOURS = {"red": (220, 30, 20), "green": (20, 200, 40), "blue": (10, 40, 230)}
SIZE = 40


def picture(colour, left, noise):
    """A grey picture with a coloured half."""
    from PIL import Image

    pixels = noise.integers(90, 140, size=(SIZE, SIZE, 3)).astype(np.uint8)
    half = slice(0, SIZE // 2) if left else slice(SIZE // 2, SIZE)
    pixels[:, half] = COLOURS[colour]
    return Image.fromarray(pixels)


def items(num_images, seed=0, prefix="img"):
    """Yield name, picture and two (question, answer) of each image."""
    noise = np.random.default_rng(seed)
    for index in range(num_images):
        colour, left = list(COLOURS)[index % 3], bool((index // 3) % 2)
        asked = [("What colour is it?", colour), ("Which side has the colour?", "left" if left else "right")]
        yield f"{prefix}{index:03d}", picture(colour, left, noise), asked


def save_images(folder, found):
    folder.mkdir(parents=True, exist_ok=True)
    for name, image, _ in found:
        image.save(folder / f"{name}.png")


def gqa(folder, num_images=30, seed=0):
    """One questions file; the loader keeps images for testing."""
    found = list(items(num_images, seed))
    save_images(folder / "images", found)
    questions = {
        f"{name}-{place}": {
            "imageId": name, "question": text, "answer": answer, "fullAnswer": f"It is {answer}.",
            "isBalanced": True,
        }
        for name, _, asked in found
        for place, (text, answer) in enumerate(asked)
    }  # fmt: skip
    write(folder / "train_balanced_questions.json", questions)
    return folder


def artvqa(folder, num_train=24, num_test=12):
    for name, count, seed in (("train", num_train, 1), ("test", num_test, 2)):
        found = list(items(count, seed, f"{name}-"))
        save_images(folder / "Images", found)
        records = [
            {"image": f"{image}.png", "question": text, "answer": answer, "need_external_knowledge": False}
            for image, _, asked in found
            for text, answer in asked
        ]
        write(folder / f"{name}.json", records)
    return folder


def vizwiz(folder, num_train=24, num_val=12):
    for name, count, seed in (("train", num_train, 3), ("val", num_val, 4)):
        found = list(items(count, seed, f"VizWiz_{name}_"))
        save_images(folder / name, found)
        records = [
            {
                "image": f"{image}.png",
                "question": text,
                "answers": [
                    {"answer": said, "answer_confidence": "yes"}
                    for said in [answer.upper()] * 4 + ["unsuitable"] * 3 + [f"{answer} "] * 3
                ],
                "answerable": 1,
            }
            for image, _, asked in found
            for text, answer in asked
        ]
        write(folder / f"Annotations/{name}.json", records)
    return folder


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), encoding="utf-8")
