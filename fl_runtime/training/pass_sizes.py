"""How much one pass takes, so that it fits caches and memory."""

from dataclasses import dataclass

import torch

from fl_runtime.cohorts import Cohort

PASS_NUMBERS = 2**28
"""Numbers of the prefixes that enter one pass: 1 GiB, which models of real size reach."""


@dataclass(frozen=True)
class PassSizes:
    """How much one pass takes: clients in training, distinct models in a test; and clients of a crew."""

    train: int
    test: int
    crew: int

    def for_cohort(self, cohort: Cohort) -> "PassSizes":
        """Return the same for a cohort; passes with trained encoders hold more, so they are smaller."""
        share = 4 if cohort.trains_encoders else 1
        return PassSizes(self.train // share, self.test // share, self.crew)


SIZES = {"cpu": PassSizes(256, 8, 512), "cuda": PassSizes(4096, 64, 8192)}
"""By the type of the device: what fits the caches of a processor, and what keeps an accelerator busy."""


def crew_size(device: torch.device) -> int:
    """Return how many clients make a crew, about."""
    return SIZES[device.type].crew


def train_size(device: torch.device, cohort: Cohort, numbers: int) -> int:
    """Return how many clients one pass of training takes, with so many numbers of prefixes for each."""
    return _fitting(SIZES[device.type].for_cohort(cohort).train, numbers)


def test_size(device: torch.device, cohort: Cohort, numbers: int) -> int:
    """Return how many models one pass of a test takes, with so many numbers of prefixes for each."""
    return _fitting(SIZES[device.type].for_cohort(cohort).test, numbers)


def chunks(length: int, size: int) -> list[slice]:
    """Return consecutive parts of ``length`` things, of ``size`` each but for the last."""
    return [slice(start, start + size) for start in range(0, length, size)]


def _fitting(size: int, numbers: int) -> int:
    return max(1, min(size, PASS_NUMBERS // max(1, numbers)))
