"""Shared models on other devices."""

import copy
from functools import lru_cache
from typing import TypeVar, cast

import torch
from torch import nn

Model = TypeVar("Model", bound=nn.Module)


def moved(model: Model, home: torch.device, device: torch.device) -> Model:
    """Return a model that is on ``home`` on another device, itself if that is its home.

    It is always the same one for a device.
    """
    return model if device == home else cast("Model", _copy_on(model, device))


@lru_cache(maxsize=4)  # what a model makes of data is kept by model, so copies must not multiply
def _copy_on(model: nn.Module, device: torch.device) -> nn.Module:
    return copy.deepcopy(model).to(device)
