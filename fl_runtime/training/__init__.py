"""Local training and testing of all clients at once: stacked modules, one shared pass, one optimiser."""

from fl_runtime.training.prefixes import Prefixes, prefixes_of
from fl_runtime.training.steps import train_round
from fl_runtime.training.testing import accuracy_of_devices

__all__ = ["Prefixes", "accuracy_of_devices", "prefixes_of", "train_round"]
