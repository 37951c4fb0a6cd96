"""The compact transformer backbone: pre-norm blocks whose first token is read out."""

import torch
from torch import nn
from torch.nn import functional


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

    def forward(self, tokens: torch.Tensor, num_read: int | None = None) -> torch.Tensor:
        """Return the first ``num_read`` tokens (all: ``None``) after the block.

        Parameters
        ----------
        tokens : tensor, shape (n, tokens, width)
            Input; all of its tokens are attended to.
        num_read : int or None
            How many of the first tokens are wanted; the others cost no query and no perceptron.
        """
        normed = self.norm_attention(tokens)
        query = self._by_head(self.query(normed[:, :num_read]))  # (n, heads, read, width / heads)
        key, value = (self._by_head(part) for part in self.key_value(normed).chunk(2, dim=-1))
        mixed = functional.scaled_dot_product_attention(query, key, value)
        tokens = tokens[:, :num_read] + self.join(mixed.transpose(1, 2).flatten(2))  # (n, read, width)
        hidden = functional.gelu(self.expand(self.norm_mlp(tokens)))
        result: torch.Tensor = tokens + self.contract(hidden)
        return result

    def _by_head(self, tokens: torch.Tensor) -> torch.Tensor:
        samples, length, width = tokens.shape
        return tokens.reshape(samples, length, self.num_heads, width // self.num_heads).transpose(1, 2)
