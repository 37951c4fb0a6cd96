"""The recipe of the shipped backbone: ``python -m fl_runtime.tasks.pretrain FILE [--steps N] [--seed K]``.

Self-supervised, on the 700 public digit images without their labels, and on synthetic sounds.  From a noisy
scene, a noisy sound and a question,

- the read-out token must draw the asked cell's digit, moved to the middle of its cell, and tell which of the
  keypad's seven tones are in the sound;
- each image token must draw the digit of its own cell (without this, the attention learns nothing for long).

No training or test image is seen, and no device's task is solved: adapters and heads are left to federation.
"""

import argparse
import math
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from fl_runtime.modules.model import FrozenModel
from fl_runtime.modules.size import ModelSize
from fl_runtime.tasks.digits import (
    CELL,
    DIGIT,
    NUM_CELLS,
    NUM_TONES,
    compose,
    digit_splits,
    draw_sounds,
    questions,
    tones_of,
)
from fl_runtime.tasks.workload import FloatArray

DEFAULT_STEPS = 2000
_BATCH = 48  # of each kind of question
_WARM_UP_STEPS = 100
_PEAK_RATE = 3e-3
_LOG_EVERY = 100
_INK_VARIANCE = 0.14  # of the public images' pixels: scales errors to about 1
_TONE_VARIANCE = 0.2


def pretrain(
    steps: int = DEFAULT_STEPS, seed: int = 0, observer: Callable[[int, float], None] | None = None
) -> FrozenModel:
    """Return a freshly pretrained model.

    Parameters
    ----------
    steps : int
        Optimiser steps, >= 1.
    seed : int
        Of the initial weights and the batches.
    observer : callable or None
        Told step and loss, every 100 steps.
    """
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    model = FrozenModel(ModelSize())
    decoders = _decoders(model.size.width)
    parameters = [*model.parameters(), *decoders.parameters()]
    optimiser = torch.optim.AdamW(parameters, lr=_PEAK_RATE, fused=True)
    images = digit_splits()["public"].images
    for step in range(steps):
        rise = min(1.0, (step + 1) / _WARM_UP_STEPS)
        for group in optimiser.param_groups:
            group["lr"] = _PEAK_RATE * rise * 0.5 * (1.0 + math.cos(math.pi * step / steps))
        losses = [_loss(task, model, decoders, images, rng) for task in ("read", "cmp", "spoken")]
        loss = torch.stack(losses).sum()
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()
        if observer is not None and (step % _LOG_EVERY == 0 or step == steps - 1):
            observer(step, loss.item())
    return model


def save(model: FrozenModel, path: Path) -> None:
    """Write a model's weights as a safetensors file."""
    from safetensors.torch import save_file

    save_file({name: tensor.contiguous() for name, tensor in model.state_dict().items()}, path)


def _decoders(width: int) -> nn.ModuleDict:
    """Return what turns tokens into pictures and tones; it is thrown away afterwards."""
    pixels = DIGIT * DIGIT
    return nn.ModuleDict(
        {
            "asked": nn.Linear(width, pixels),
            "tones": nn.Linear(width, NUM_TONES),
            "cell": nn.Sequential(nn.LayerNorm(width, elementwise_affine=False), nn.Linear(width, pixels)),
        }
    )


def _loss(
    task: str,
    model: FrozenModel,
    decoders: Mapping[str, nn.Module] | nn.ModuleDict,
    images: FloatArray,
    rng: np.random.Generator,
) -> torch.Tensor:
    """Return the loss of one batch of questions of a task's kind."""
    asked = rng.integers(NUM_CELLS, size=_BATCH)
    shown = images[rng.integers(len(images), size=(_BATCH, NUM_CELLS))]  # (batch, cells, 8, 8)
    spoken = rng.integers(10, size=_BATCH)
    cells = asked if task != "spoken" else np.full(_BATCH, NUM_CELLS)
    inputs = {"text": torch.from_numpy(questions(task, cells))}
    if task != "spoken":
        inputs["image"] = torch.from_numpy(compose(rng, shown))
    if task != "read":
        inputs["audio"] = torch.from_numpy(draw_sounds(rng, spoken))
    tokens = model.prefix(inputs)
    read = model.features(tokens[None])[0]  # (batch, width)
    losses = []
    if "image" in inputs:
        pictures = torch.from_numpy(shown).flatten(2)  # (batch, cells, 64)
        target = pictures[torch.arange(_BATCH), torch.from_numpy(asked)]
        losses.append(functional.mse_loss(decoders["asked"](read), target) / _INK_VARIANCE)
        by_cell = _tokens_by_cell(model, tokens, inputs)  # (batch, cells, tokens of a cell, width)
        drawn = decoders["cell"](by_cell)
        losses.append(functional.mse_loss(drawn, pictures[:, :, None].expand_as(drawn)) / _INK_VARIANCE)
    if "audio" in inputs:
        tones = torch.from_numpy(tones_of(spoken))
        losses.append(functional.mse_loss(decoders["tones"](read), tones) / _TONE_VARIANCE)
    return torch.stack(losses).sum()


def _tokens_by_cell(
    model: FrozenModel, tokens: torch.Tensor, inputs: Mapping[str, torch.Tensor]
) -> torch.Tensor:
    """Return the image tokens, (batch, cells, tokens of a cell, width)."""
    image = model.tokens_of("image", tokens, inputs)  # (batch, 16, width), row by row
    half = model.size.canvas // CELL  # cells in each direction
    side = math.isqrt(image.shape[1]) // half  # tokens of a cell in each direction
    grid = image.reshape(len(image), half, side, half, side, image.shape[2]).transpose(2, 3)
    return grid.reshape(len(image), half * half, side * side, image.shape[2])


def main(arguments: list[str] | None = None) -> None:
    """Pretrain and write the weights."""
    parser = argparse.ArgumentParser(description="Pretrain the compact backbone on the public digit images.")
    parser.add_argument("file", type=Path, help="safetensors file to write")
    parser.add_argument("--steps", type=int, default=DEFAULT_STEPS, help="optimiser steps")
    parser.add_argument("--seed", type=int, default=0, help="seed of weights and batches")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)  # the same bytes on the same machine
    model = pretrain(
        options.steps,
        options.seed,
        lambda step, loss: print(f"step {step}: loss {loss:.3f}", file=sys.stderr),
    )
    save(model, options.file)


if __name__ == "__main__":
    main()
