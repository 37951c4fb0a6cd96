"""A top-k mixture of experts, stacked by client: ``x + sum over the k chosen of p_e expert_e(norm(x))``.

Each token goes to the k experts of a client to which its gate gives the largest probabilities p, and to no
other (Shazeer et al. 2017, arXiv:1701.06538).  The probabilities are not divided by their sum over the
chosen, so that the gate learns for k = 1 as well (Fedus et al. 2021, arXiv:2101.03961).  An expert is a
bottleneck perceptron with the parameters of an adapter.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional

from fl_runtime.modules.adapters import normalised, perceptron


def initial_gate(width: int, num_experts: int, rng: np.random.Generator) -> npt.NDArray[np.float32]:
    """Return small random weights, (width * num_experts,): all experts are nearly equally likely."""
    return rng.normal(0.0, 0.02, size=width * num_experts).astype(np.float32)


@dataclass(frozen=True)
class Mixture:
    """Each client's experts and gate.

    Parameters
    ----------
    gate : tensor, shape (clients, width, experts)
        Columns of the gate that belong to the experts at hand.
    experts : tensor, shape (clients, experts, adapter_size)
        Their parameters.
    bottleneck : int
        Width of an expert's hidden layer.
    num_chosen : int
        Experts of a token, k >= 1; at most those at hand.
    """

    gate: torch.Tensor
    experts: torch.Tensor
    bottleneck: int
    num_chosen: int

    def mixed(
        self, tokens: torch.Tensor, real: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the tokens with what their experts add, and how unevenly the experts are used.

        The second is ``experts * sum over e of f_e P_e``, with the share f of choices and the mean
        probability P of each expert over a client's tokens (Fedus et al., equation 4): 1 where all are used
        alike, and at most the number of experts.

        Parameters
        ----------
        tokens : tensor, shape (clients, samples, tokens, width)
            Tokens of all samples of a client.
        real : tensor of bool, shape (clients, samples, tokens), or None
            Which tokens count; the others stay as they are.  ``None``: all.

        Returns
        -------
        tokens : tensor of the same shape
        imbalance : tensor, shape (clients,)
        """
        rows = tokens.flatten(1, 2)  # (clients, rows, width)
        normed = normalised(rows)
        probabilities = torch.softmax(torch.bmm(normed, self.gate), dim=2)  # (clients, rows, experts)
        num_experts = self.gate.shape[2]
        weights, chosen = probabilities.topk(min(self.num_chosen, num_experts), dim=2)  # (clients, rows, k)
        votes = functional.one_hot(chosen, num_experts).to(rows.dtype)  # (clients, rows, k, experts)
        if real is None:
            shares, means = votes.mean(dim=(1, 2)), probabilities.mean(dim=1)  # (clients, experts)
        else:
            part = real.flatten(1).to(rows.dtype)  # (clients, rows)
            part = part / part.sum(dim=1, keepdim=True)
            shares = torch.einsum("cr,crke->ce", part, votes) / votes.shape[2]
            means = torch.einsum("cr,cre->ce", part, probabilities)
            weights = weights * real.flatten(1)[..., None]
        added = (self._of_chosen(normed, chosen) * weights[..., None]).sum(dim=2)
        imbalance = num_experts * (shares * means).sum(dim=1)
        return (rows + added).view(tokens.shape), imbalance

    def _of_chosen(self, normed: torch.Tensor, chosen: torch.Tensor) -> torch.Tensor:
        """Return what the chosen experts make of each token, (clients, rows, k, width).

        The tokens of an expert are packed to the front of its rows, so that an expert works for those alone
        that chose it; all experts have as many rows as the one with most tokens.
        """
        clients, rows, k = chosen.shape
        num_experts, width = self.gate.shape[2], normed.shape[2]
        owner = (chosen + num_experts * torch.arange(clients, device=chosen.device)[:, None, None]).flatten()
        counts = torch.bincount(owner, minlength=clients * num_experts)
        order = owner.argsort(stable=True)
        place = torch.empty_like(owner)
        place[order] = (
            torch.arange(len(owner), device=owner.device) - (counts.cumsum(0) - counts)[owner[order]]
        )
        capacity = int(counts.max())
        slot = owner * capacity + place  # each token's row for each of its experts
        packed = normed.new_zeros(clients * num_experts * capacity, width)
        packed = packed.index_copy(0, slot, normed[:, :, None].expand(-1, -1, k, -1).reshape(-1, width))
        worked = perceptron(packed.view(-1, capacity, width), self.experts.flatten(0, 1), self.bottleneck)
        return worked.flatten(0, 1).index_select(0, slot).view(clients, rows, k, width)
