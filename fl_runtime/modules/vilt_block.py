"""A block of ViLT with what clients add to it, stacked by client."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import torch
from torch.nn import functional

from fl_runtime.modules.adapters import perceptron
from fl_runtime.modules.lora import Lora
from fl_runtime.modules.trained_backbone import OwnWeights

LAYERS: Mapping[str, str] = MappingProxyType(
    {
        "query": "attention.attention.query",
        "key": "attention.attention.key",
        "value": "attention.attention.value",
        "join": "attention.output.dense",
        "expand": "intermediate.dense",
        "contract": "output.dense",
    }
)
"""The linear layers of a block: our names, which are LoRA's, and ViLT's."""


@dataclass(frozen=True)
class Added:
    """What clients have in a block; all of it may be missing.

    Parameters
    ----------
    adapters : tensor, shape (clients, 2 * adapter_size), or None
        The adapter behind the attention, then that behind the perceptron.
    bottleneck : int
        Width of the adapters.
    lora : Lora or None
        Additions to the linear layers.
    own : OwnWeights or None
        Weights in place of the block's.
    """

    adapters: torch.Tensor | None = None
    bottleneck: int = 0
    lora: Lora | None = None
    own: OwnWeights | None = None


def after_block(
    layer: Any, tokens: torch.Tensor, real: torch.Tensor, added: Added, num_read: int | None = None
) -> torch.Tensor:
    """Return the first ``num_read`` tokens (all: ``None``) after a block.

    Parameters
    ----------
    layer : transformers' ViltLayer
        The block.
    tokens : tensor, shape (n, tokens, width)
        Where clients have modules, samples come client after client, equally many.
    real : tensor of bool, shape (n, tokens)
        Which tokens are attended to.
    added : Added
        What clients have here.
    num_read : int or None
        How many tokens are wanted; the others cost no query and no perceptron.
    """
    first, second = (None, None) if added.adapters is None else added.adapters.chunk(2, dim=1)
    heads = layer.attention.attention.num_attention_heads
    normed = norm(layer.layernorm_before, "layernorm_before.", tokens, added.own)
    first_rows = normed[:, :num_read].contiguous()  # a layer takes contiguous rows far faster
    query = _by_head(linear(layer, "query", first_rows, added), heads)
    key, value = (_by_head(linear(layer, name, normed, added), heads) for name in ("key", "value"))
    mask = real[:, None, None]  # (n, heads, read, tokens)
    mixed = functional.scaled_dot_product_attention(query, key, value, attn_mask=mask)
    mixed = mixed.transpose(1, 2).flatten(2)  # (n, read, width)
    joined = _adapted(linear(layer, "join", mixed, added), first, added.bottleneck)
    tokens = tokens[:, :num_read] + joined
    normed = norm(layer.layernorm_after, "layernorm_after.", tokens, added.own)
    hidden = layer.intermediate.intermediate_act_fn(linear(layer, "expand", normed, added))
    return tokens + _adapted(linear(layer, "contract", hidden, added), second, added.bottleneck)


def linear(layer: Any, name: str, tokens: torch.Tensor, added: Added) -> torch.Tensor:
    """Return what a linear layer within ``layer`` makes of tokens (n, tokens, inner), with what is added."""
    path, own = LAYERS.get(name, name), added.own
    result: torch.Tensor = layer.get_submodule(path)(tokens) if own is None else own.linear(path, tokens)
    return result if added.lora is None else added.lora.added(name, tokens, result)


def norm(layer: Any, prefix: str, tokens: torch.Tensor, own: OwnWeights | None) -> torch.Tensor:
    """Return normalised tokens, by the layer's weights or by those that clients have under ``prefix``."""
    result: torch.Tensor = layer(tokens) if own is None else own.norm(prefix, tokens, layer.eps)
    return result


def _adapted(tokens: torch.Tensor, flat: torch.Tensor | None, bottleneck: int) -> torch.Tensor:
    """Return ``x + up(gelu(down(x)))`` by each client's adapter."""
    if flat is None:
        return tokens
    rows = tokens.reshape(len(flat), -1, tokens.shape[-1])  # (clients, rows, width)
    return tokens + perceptron(rows, flat, bottleneck).view(tokens.shape)


def _by_head(tokens: torch.Tensor, heads: int) -> torch.Tensor:
    samples, length, width = tokens.shape
    return tokens.reshape(samples, length, heads, width // heads).transpose(1, 2)
