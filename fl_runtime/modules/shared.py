"""What the engine needs of the model that all clients share, whichever model it is."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt

from fl_runtime.modules.inputs import InputFormat

if TYPE_CHECKING:
    import torch


class SharedModel(Protocol):
    """A frozen backbone with its encoders, and the places where clients' own modules join it.

    A client's module of a kind is one flat vector of float32; tensors of modules are stacked by client,
    (clients, size).  A sample is labelled by a head on what :meth:`features` returns.
    """

    def __hash__(self) -> int:
        """Tell models apart; what one of them makes of data is kept for it."""
        ...

    @property
    def name(self) -> str:
        """What it is, in a word."""
        ...

    @property
    def device(self) -> "torch.device":
        """Where it computes, and where all of its tensors are."""
        ...

    def on(self, device: "torch.device") -> "SharedModel":
        """Return the same model on a device, itself if it is there; always the same one for a device."""
        ...

    @property
    def modalities(self) -> tuple[str, ...]:
        """The kinds of input that it takes, sorted."""
        ...

    @property
    def inputs(self) -> InputFormat:
        """The form in which it takes images and text."""
        ...

    @property
    def width(self) -> int:
        """Numbers of a token, and of what a head reads."""
        ...

    @property
    def expert_bottleneck(self) -> int:
        """Width of the hidden layer of an expert."""
        ...

    def digest(self) -> str:
        """Return a hash of its sizes and weights: models of the same digest compute the same."""
        ...

    def initial(
        self, kind: str, rng: np.random.Generator, *, num_classes: int, num_experts: int, modality: str | None
    ) -> npt.NDArray[np.float32]:
        """Return one flat vector of a module's parameters before it is trained.

        Parameters
        ----------
        kind : str
            ``adapter``, ``backbone``, ``encoder``, ``expert``, ``gate``, ``lora``, ``prompt`` or ``head``.
        rng : Generator
            Draws what is not zero.
        num_classes : int
            Of the task of a head.
        num_experts : int
            Experts of the group of a gate.
        modality : str or None
            Of an encoder.

        Raises
        ------
        ValueError
            If clients cannot have a module of this kind of their own.
        """
        ...

    def encode(
        self, modality: str, inputs: "torch.Tensor", own: "torch.Tensor | None" = None
    ) -> "torch.Tensor":
        """Return the tokens of inputs (clients, samples, ...): (clients * samples, tokens, width).

        ``own`` has the encoder's parameters of each client; ``None``: those of the model.
        """
        ...

    def prefix_of_encoded(self, encoded: "Mapping[str, torch.Tensor]") -> "torch.Tensor":
        """Return what the modules of clients get, (n, tokens, width), of tokens (n, ..., width) by modality.

        It is the same for all clients that have the same encoders.
        """
        ...

    def real(self, tokens: "torch.Tensor") -> "torch.Tensor | None":
        """Return which tokens of prefixes (..., tokens, width) count, (..., tokens); ``None``: all."""
        ...

    def prefix(self, inputs: "Mapping[str, torch.Tensor]") -> "torch.Tensor":
        """Return the prefix of inputs (n, ...) by modality, by the model's own encoders."""
        ...

    def features(
        self,
        tokens: "torch.Tensor",
        adapters: "torch.Tensor | None" = None,
        prompts: "torch.Tensor | None" = None,
        lora: "torch.Tensor | None" = None,
        backbone: "torch.Tensor | None" = None,
    ) -> "torch.Tensor":
        """Return what heads read, (clients, samples, width); tokens are (clients, samples, tokens, width)."""
        ...
