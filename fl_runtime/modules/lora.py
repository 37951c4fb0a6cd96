"""Low-rank additions to a block's linear layers, stacked by client: ``W x + up(down(x))`` (Hu et al. 2021).

The layers are those of a :class:`fl_runtime.modules.backbone.Block`, attention and perceptron.  The paper's
scale ``alpha / rank`` is one.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch


def layer_shapes(width: int) -> dict[str, tuple[int, int]]:
    """Return the widths that enter and leave each linear layer, in the order of the flat vector."""
    return {
        "query": (width, width),
        "key_value": (width, 2 * width),
        "join": (width, width),
        "expand": (width, 2 * width),
        "contract": (2 * width, width),
    }


def lora_size(width: int, rank: int) -> int:
    """Return the number of parameters for one block."""
    return sum(rank * (inner + outer) for inner, outer in layer_shapes(width).values())


def initial_lora(width: int, rank: int, rng: np.random.Generator) -> npt.NDArray[np.float32]:
    """Return additions to a block that change nothing yet: each ``down`` is drawn, each ``up`` is zero."""
    return initial_additions(layer_shapes(width), rank, rng)


def initial_additions(
    shapes: Mapping[str, tuple[int, int]], rank: int, rng: np.random.Generator
) -> npt.NDArray[np.float32]:
    """Return additions to layers of any shapes that change nothing yet."""
    parts = []
    for inner, outer in shapes.values():
        parts += [rng.normal(0.0, inner**-0.5, size=inner * rank), np.zeros(rank * outer)]
    return np.concatenate(parts).astype(np.float32)


@dataclass(frozen=True)
class Lora:
    """Each client's additions to the layers of one block.

    Parameters
    ----------
    down, up : mapping of str to tensor
        By layer: (clients, inner, rank) and (clients, rank, outer).
    """

    down: Mapping[str, torch.Tensor]
    up: Mapping[str, torch.Tensor]

    @staticmethod
    def of(flat: torch.Tensor, width: int, rank: int) -> "Lora":
        """Return the additions in ``flat`` (clients, lora_size): ``down`` and ``up`` of layer after layer."""
        return Lora.of_layers(flat, layer_shapes(width), rank)

    @staticmethod
    def of_layers(flat: torch.Tensor, shapes: Mapping[str, tuple[int, int]], rank: int) -> "Lora":
        """Return the additions to layers of any shapes, in their order."""
        sizes = [length * rank for shape in shapes.values() for length in shape]
        parts = torch.split(flat, sizes, dim=1)
        down, up = zip(shapes, parts[::2], strict=True), zip(shapes, parts[1::2], strict=True)
        return Lora(
            down={name: part.reshape(len(flat), -1, rank) for name, part in down},
            up={name: part.reshape(len(flat), rank, -1) for name, part in up},
        )

    def added(self, name: str, tokens: torch.Tensor, result: torch.Tensor) -> torch.Tensor:
        """Return a layer's result with each client's addition.

        Parameters
        ----------
        name : str
            The layer.
        tokens : tensor, shape (clients * samples, tokens, inner)
            What enters the layer, client after client.
        result : tensor, shape (clients * samples, tokens, outer)
            What the shared layer makes of it.
        """
        down, up = self.down[name], self.up[name]
        hidden = torch.bmm(tokens.reshape(len(down), -1, tokens.shape[-1]), down)  # (clients, rows, rank)
        rows = result.reshape(len(up), -1, result.shape[-1])
        return torch.baddbmm(rows, hidden, up).view(result.shape)

    def asked(self, name: str, query: torch.Tensor, asked: torch.Tensor) -> torch.Tensor:
        """Return what queries ask of tokens, with each client's addition to the keys.

        Parameters
        ----------
        name : str
            The layer whose first half of outputs are the keys.
        query : tensor, shape (rows, heads, width of a head)
            Rows of client after client.
        asked : tensor, shape (rows, heads, width)
            The product of the queries with the weights of the shared keys.
        """
        down, keys = self.down[name], self.up[name].chunk(2, dim=2)[0]
        clients, heads = len(down), query.shape[1]
        keys = keys.mT.reshape(clients * heads, -1, keys.shape[1])  # (clients * heads, width of a head, rank)
        hidden = torch.bmm(_by_client_and_head(query, clients), keys)  # (clients * heads, rows, rank)
        hidden = hidden.view(clients, heads, *hidden.shape[1:]).transpose(1, 2).flatten(1, 2)
        rows = asked.reshape(clients, -1, asked.shape[-1])  # (clients, rows * heads, width)
        return torch.baddbmm(rows, hidden, down.mT).view(asked.shape)

    def valued(self, name: str, found: torch.Tensor, mixed: torch.Tensor) -> torch.Tensor:
        """Return the values of averaged tokens, with each client's addition to the values.

        Parameters
        ----------
        name : str
            The layer whose second half of outputs are the values.
        found : tensor, shape (rows, heads, width)
            The token that each head of a row found on average.
        mixed : tensor, shape (rows, heads, width of a head)
            What the shared values make of it.
        """
        down, values = self.down[name], self.up[name].chunk(2, dim=2)[1]
        clients, heads = len(down), found.shape[1]
        values = values.reshape(clients, values.shape[1], heads, -1).transpose(1, 2).flatten(0, 1)
        hidden = torch.bmm(found.reshape(clients, -1, found.shape[-1]), down)  # (clients, rows * heads, rank)
        hidden = _by_client_and_head(hidden.reshape(len(found), heads, -1), clients)
        added = torch.bmm(hidden, values)  # (clients * heads, rows, width of a head)
        return mixed + added.view(clients, heads, *added.shape[1:]).transpose(1, 2).reshape(mixed.shape)


def _by_client_and_head(rows: torch.Tensor, clients: int) -> torch.Tensor:
    """Return rows (clients * n, heads, length) as (clients * heads, n, length)."""
    return rows.reshape(clients, -1, *rows.shape[1:]).transpose(1, 2).flatten(0, 1)
