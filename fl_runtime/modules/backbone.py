"""The compact transformer backbone: pre-norm blocks whose first token is read out."""

import torch
from torch import nn
from torch.nn import functional

from fl_runtime.modules.lora import Lora
from fl_runtime.modules.trained_backbone import OwnWeights


class Block(nn.Module):
    """Self-attention and a two-layer perceptron, each after a normalisation and with a residual."""

    def __init__(self, width: int, num_heads: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.norm_attention = nn.LayerNorm(width)
        self.query = nn.Linear(width, width)
        self.key_value = nn.Linear(width, 2 * width)
        self.join = nn.Linear(width, width)
        self.norm_mlp = nn.LayerNorm(width)
        self.expand = nn.Linear(width, 2 * width)
        self.contract = nn.Linear(2 * width, width)

    def forward(
        self,
        tokens: torch.Tensor,
        num_read: int | None = None,
        lora: Lora | None = None,
        own: OwnWeights | None = None,
    ) -> torch.Tensor:
        """Return the first ``num_read`` tokens (all: ``None``) after the block.

        Parameters
        ----------
        tokens : tensor, shape (n, tokens, width)
            Input; all of its tokens are attended to.
        num_read : int or None
            How many of the first tokens are wanted; the others cost no query and no perceptron.
        lora : Lora or None
            What clients add to the linear layers; the samples then come client after client, equally many.
        own : OwnWeights or None
            Weights of clients in place of the block's; the samples come likewise.
        """
        normed = self._norm("norm_attention", tokens, own)
        query = self._by_head(self._layer("query", normed[:, :num_read], lora, own))
        joint = self._layer("key_value", normed, lora, own)  # (n, tokens, 2 * width)
        key, value = (self._by_head(part) for part in joint.chunk(2, dim=-1))
        mixed = functional.scaled_dot_product_attention(query, key, value)
        mixed = mixed.transpose(1, 2).flatten(2)  # (n, read, width)
        tokens = tokens[:, :num_read] + self._layer("join", mixed, lora, own)
        hidden = self._layer("expand", self._norm("norm_mlp", tokens, own), lora, own)
        return tokens + self._layer("contract", functional.gelu(hidden), lora, own)

    def _layer(
        self, name: str, tokens: torch.Tensor, lora: Lora | None, own: OwnWeights | None
    ) -> torch.Tensor:
        result: torch.Tensor = self.get_submodule(name)(tokens) if own is None else own.linear(name, tokens)
        return result if lora is None else lora.added(name, tokens, result)

    def _norm(self, name: str, tokens: torch.Tensor, own: OwnWeights | None) -> torch.Tensor:
        result: torch.Tensor = (
            self.get_submodule(name)(tokens) if own is None else own.norm(f"{name}.", tokens)
        )
        return result

    def _by_head(self, tokens: torch.Tensor) -> torch.Tensor:
        samples, length, width = tokens.shape
        return tokens.reshape(samples, length, self.num_heads, width // self.num_heads).transpose(1, 2)
