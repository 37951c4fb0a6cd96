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
        first = normed[:, :num_read].contiguous()  # a layer takes contiguous rows far faster
        query = self._layer("query", first, lora, own)  # (n, read, width)
        if num_read is None or own is not None:
            mixed = self._attended(query, self._layer("key_value", normed, lora, own))
        else:
            mixed = self._attended_by_few(query, normed, lora)
        tokens = tokens[:, :num_read] + self._layer("join", mixed, lora, own)
        hidden = self._layer("expand", self._norm("norm_mlp", tokens, own), lora, own)
        return tokens + self._layer("contract", functional.gelu(hidden), lora, own)

    def _attended(self, query: torch.Tensor, key_value: torch.Tensor) -> torch.Tensor:
        """Return what queries (n, read, width) find in keys and values (n, tokens, 2 * width)."""
        key, value = (self._by_head(part) for part in key_value.chunk(2, dim=-1))
        mixed = functional.scaled_dot_product_attention(self._by_head(query), key, value)
        return mixed.transpose(1, 2).flatten(2)  # (n, read, width)

    def _attended_by_few(self, query: torch.Tensor, normed: torch.Tensor, lora: Lora | None) -> torch.Tensor:
        """Return the same as :meth:`_attended` for few queries, without a key or a value of any token.

        ``q (K x + b) = (q K) x + q b``, where ``q b`` is the same for all tokens and so drops out; and the
        values' average is the average token's value.  So each token costs ``2 * heads * read * width``
        products in place of ``2 * width^2``.
        """
        samples, read, width = query.shape
        heads, rows = self.num_heads, samples * read
        key, value = self.key_value.weight.view(2, heads, width // heads, width)
        by_head = query.view(rows, heads, -1).transpose(0, 1)  # (heads, rows, width of a head)
        asked = torch.bmm(by_head, key).transpose(0, 1)  # (rows, heads, width)
        if lora is not None:
            asked = lora.asked("key_value", query.reshape(rows, heads, -1), asked)
        asked = asked.reshape(samples, read * heads, width)
        scores = torch.bmm(asked, normed.mT) * (width // heads) ** -0.5  # (n, read * heads, tokens)
        found = torch.bmm(scores.softmax(dim=-1), normed).view(rows, heads, width)
        mixed = torch.bmm(found.transpose(0, 1), value.mT).transpose(0, 1)  # (rows, heads, width of a head)
        if lora is not None:
            mixed = lora.valued("key_value", found, mixed)
        return mixed.reshape(samples, read, width) + self.key_value.bias[width:]

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
