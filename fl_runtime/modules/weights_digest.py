"""A hash of a shared model: models of the same digest compute the same."""

import hashlib

from torch import nn


def weights_digest(model: nn.Module, facts: str) -> str:
    """Return a hash of ``facts``, a text of all that is no weight, and of the weights by name."""
    digest = hashlib.sha256(facts.encode())
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.cpu().contiguous().numpy().data)
    return digest.hexdigest()
