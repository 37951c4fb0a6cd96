"""Local training of all devices in this process, stacked: what runs where nothing else is asked for."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fl_runtime.cohorts import Cohort, without_data
from fl_runtime.learning_draws import round_batches
from fl_runtime.local import State, Trained
from fl_runtime.modules.shared import SharedModel
from fl_runtime.schedule import Training

if TYPE_CHECKING:
    from fl_runtime.training import Prefixes


@dataclass(frozen=True, eq=False)
class Stacked:
    """Trains all devices together: a :class:`fl_runtime.local.LocalTraining`.

    Parameters
    ----------
    model : SharedModel
        What all devices share.
    cohorts, prefixes
        Devices with their data, and what the model makes of these.
    training : Training
        Of the schedule.
    seed : int
        Of the run; it draws the batches.
    """

    model: SharedModel
    cohorts: Sequence[Cohort]
    prefixes: "Sequence[Prefixes | None]"
    training: Training
    seed: int

    def __call__(self, round_index: int, state: State, away: frozenset[str]) -> Trained:
        """Return what becomes of all replicas in a round."""
        from fl_runtime.training import train_round  # torch is loaded here and nowhere earlier

        cohorts = without_data(self.cohorts, away)
        batches = round_batches(cohorts, self.training, self.seed, round_index)
        return Trained(train_round(self.model, cohorts, self.prefixes, state, batches, self.training))
