"""Copies of shared models on other devices."""

import copy
from functools import lru_cache
from typing import Any

import torch
from torch import nn


@lru_cache(maxsize=4)  # what a model makes of data is kept by model, so copies must not multiply
def copy_on(model: nn.Module, device: torch.device) -> Any:
    """Return a copy of a model on a device; always the same one."""
    return copy.deepcopy(model).to(device)
