"""The ServerApp's side: sends each SuperNode its devices' replicas in each round, and waits for them."""

import json
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from flwr.app import ConfigRecord, Message, MessageType, RecordDict
from flwr.serverapp import Grid

from fl_runtime.accelerator import Precision
from fl_runtime.device import part_of, rows_of, training_devices
from fl_runtime.flower.client import NUM_SHARES, SHARE
from fl_runtime.flower.messages import JOB, num_bytes, pack, state_in
from fl_runtime.flower.record import NodeFailure, RoundOnFlower
from fl_runtime.local import State, Trained
from fl_runtime.quantity import with_drawn_quantities
from fl_runtime.schedule import Schedule
from fl_runtime.schedule_json import schedule_text

_PULL_INTERVAL_S = 0.02


@dataclass(frozen=True, kw_only=True)
class Patience:
    """How long the ServerApp waits, in real seconds.

    Parameters
    ----------
    start_s : float
        For all SuperNodes to be there before the first round, > 0.
    answer_s : float
        For a SuperNode that comes later to say which devices it trains, > 0.
    round_s : float or None
        For the replies of a round; devices whose reply has not come are missing in it.  ``None``: for ever.
    """

    start_s: float = 300.0
    answer_s: float = 30.0
    round_s: float | None = None


@dataclass(frozen=True)
class _Share:
    """What one SuperNode trains: the part of the schedule as it is sent, its replicas, and its devices."""

    text: str
    rows: Mapping[str, npt.NDArray[np.int64]]
    devices: tuple[str, ...]


class GridTraining:
    """Trains the devices of a schedule on SuperNodes: a :class:`fl_runtime.local.LocalTraining`.

    Every SuperNode of ``num_nodes`` trains a share of the devices.  A node that comes back under a new
    identity takes its share over in the next round.

    Parameters
    ----------
    grid : Grid
        Of Flower.
    schedule : Schedule
        What is run.
    seed : int
        Of the run.
    num_nodes : int
        How many SuperNodes there are to be.
    precision : str
        Of products in training, as of :class:`fl_runtime.LearningSettings`.
    patience : Patience
        How long to wait.
    stop : Event or None
        Once it is set, the next wait ends in :class:`NodeFailure`.
    """

    def __init__(
        self,
        grid: Grid,
        schedule: Schedule,
        seed: int,
        *,
        num_nodes: int,
        precision: Precision = "float32",
        patience: Patience | None = None,
        stop: threading.Event | None = None,
    ) -> None:
        schedule = with_drawn_quantities(schedule, seed)
        self._grid, self._schedule, self._seed, self._num_nodes = grid, schedule, seed, num_nodes
        self._precision = precision
        self._patience, self._stop = patience or Patience(), stop or threading.Event()
        devices = training_devices(schedule)
        shares = [_share(schedule, devices[number::num_nodes]) for number in range(num_nodes)]
        self._shares = {number: share for number, share in enumerate(shares) if share.devices}
        self._node_of_share: dict[int, int] = {}
        self._seen: set[int] = set()
        self.rounds: list[RoundOnFlower] = []

    def __call__(self, round_index: int, state: State, away: frozenset[str]) -> Trained:
        """Send the replicas, wait for what the devices make of them, and return all.

        Raises
        ------
        NodeFailure
            If no SuperNode answers, or the run is to stop.
        """
        self._find_nodes()
        start_s = time.perf_counter()
        wanted = [number for number, share in self._shares.items() if not away.issuperset(share.devices)]
        asked = {
            number: self._message(number, round_index, state, away)
            for number in wanted
            if number in self._node_of_share
        }
        sent = sum(num_bytes(message.content) for message in asked.values())
        replies, late = self._replies(asked, self._patience.round_s)
        result = {name: rows.copy() for name, rows in state.items()}
        reasons = dict.fromkeys(wanted, "no SuperNode trains it") | late
        for number, reply in replies.items():
            for name, rows in state_in(reply.content).items():
                result[name][self._shares[number].rows[name]] = rows
            reasons.pop(number)
        missing = {
            device: why
            for number, why in reasons.items()
            for device in self._shares[number].devices
            if device not in away
        }
        self.rounds.append(
            RoundOnFlower(
                index=round_index,
                kind=self._schedule.kind_of_round(round_index).name,
                wall_s=time.perf_counter() - start_s,
                bytes_to_nodes=sent,
                bytes_from_nodes=sum(num_bytes(reply.content) for reply in replies.values()),
                missing=missing,
            )
        )
        if missing and not replies:
            raise NodeFailure(
                f"round {round_index}: no update came: {'; '.join(sorted(set(missing.values())))}"
            )
        return Trained(result, frozenset(missing))

    def _message(self, number: int, round_index: int, state: State, away: frozenset[str]) -> Message:
        share = self._shares[number]
        own = {name: state[name][rows] for name, rows in share.rows.items() if name in state}
        job: dict[str, str | int] = {"part": share.text, "seed": self._seed, "round": round_index}
        job["precision"] = self._precision
        job["away"] = json.dumps(sorted(away.intersection(share.devices)))
        return Message(pack(own, job), self._node_of_share[number], MessageType.TRAIN)

    def _find_nodes(self) -> None:
        """Learn which SuperNode trains which share; before the first round, wait until all are there."""
        deadline_s = time.monotonic() + self._patience.start_s
        while True:
            self._ask(sorted(set(self._grid.get_node_ids()) - self._seen))
            if self.rounds or self._node_of_share.keys() >= self._shares.keys():
                return
            if time.monotonic() > deadline_s:
                lacking = sorted(self._shares.keys() - self._node_of_share.keys())
                raise NodeFailure(
                    f"of {self._num_nodes} SuperNodes those with the shares {lacking} did not come within "
                    f"{self._patience.start_s:g} s: start them with --node-config "
                    f"'{SHARE}=NUMBER {NUM_SHARES}={self._num_nodes}'"
                )
            self._pause(0.1)

    def _ask(self, nodes: Iterable[int]) -> None:
        asked = {
            node: Message(RecordDict({JOB: ConfigRecord({"ask": SHARE})}), node, MessageType.QUERY)
            for node in nodes
        }
        if not asked:
            return
        patience_s = self._patience.answer_s if self.rounds else self._patience.start_s
        replies, failures = self._replies(asked, patience_s)
        if failures and not replies:
            raise NodeFailure(f"SuperNodes do not answer: {'; '.join(sorted(set(failures.values())))}")
        for node, reply in replies.items():
            self._seen.add(node)
            answer = reply.content.config_records[JOB]
            number, num_shares = int(str(answer[SHARE])), int(str(answer[NUM_SHARES]))
            if num_shares != self._num_nodes:
                raise NodeFailure(
                    f"SuperNode {node} has {NUM_SHARES}={num_shares}, must be {self._num_nodes}: start it "
                    f"with --node-config '{SHARE}=NUMBER {NUM_SHARES}={self._num_nodes}'"
                )
            if number in self._shares:
                self._node_of_share[number] = node

    def _replies(
        self, asked: Mapping[int, Message], timeout_s: float | None
    ) -> tuple[dict[int, Message], dict[int, str]]:
        """Return the replies that came in time, and why the others did not, by the keys of ``asked``."""
        taken = set(self._grid.push_messages(list(asked.values())))
        key_of = {message.metadata.message_id: key for key, message in asked.items()}
        failures = {key: "its SuperNode is gone" for name, key in key_of.items() if name not in taken}
        key_of = {name: key for name, key in key_of.items() if name in taken}
        replies: dict[int, Message] = {}
        deadline_s = float("inf") if timeout_s is None else time.monotonic() + timeout_s
        while key_of and time.monotonic() < deadline_s:
            for reply in self._grid.pull_messages(list(key_of)):
                key = key_of.pop(reply.metadata.reply_to_message_id)
                if reply.has_error():
                    failures[key] = f"{reply.error.reason or 'error'} (code {reply.error.code})"
                else:
                    replies[key] = reply
            if key_of:
                self._pause(_PULL_INTERVAL_S)
        failures |= dict.fromkeys(key_of.values(), f"no reply within {timeout_s} s")
        return replies, failures

    def _pause(self, seconds: float) -> None:
        if self._stop.wait(seconds):
            raise NodeFailure("the run was stopped")


def _share(schedule: Schedule, devices: tuple[str, ...]) -> _Share:
    part = part_of(schedule, devices)
    text = json.dumps(json.loads(schedule_text(part)), separators=(",", ":"), ensure_ascii=False)
    return _Share(text, rows_of(schedule, part), devices)
