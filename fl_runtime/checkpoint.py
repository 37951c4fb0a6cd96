"""Keeps the state of a run after each round, and takes it up again: safetensors and JSON, never pickle.

After round N a folder holds ``round-N.safetensors``, the arrays, and ``round-N.json``, what run it is, the
accuracies so far and the digest of the arrays.  The JSON file is written last, so that its presence says
that the state is whole; the state before it is kept too.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fl_runtime.errors import CheckpointError
from fl_runtime.modules.shared import SharedModel
from fl_runtime.schedule import Schedule
from fl_runtime.schedule_json import schedule_text
from fl_runtime.tasks.workload import Workload
from fl_runtime.transport_state import Kept, State
from fl_runtime.whole_files import write_whole

FORMAT, VERSION = "hfedfm-checkpoint", 1
NUM_KEPT = 2
"""States that stay in the folder: the newest, and the one before in case the newest is damaged later."""

Arrays = dict[str, npt.NDArray[np.generic]]


@dataclass(frozen=True, kw_only=True)
class Progress:
    """All that a run knows after some rounds.

    Parameters
    ----------
    accuracies : sequence of mapping of str to float
        Accuracy of each task after each round.
    state : mapping of str to array
        Parameters of each module's replicas, (replicas, size).
    kept : mapping of str to Kept
        What nodes keep of each module that travels packed or has a server optimiser.
    """

    accuracies: Sequence[Mapping[str, float]]
    state: Mapping[str, State]
    kept: Mapping[str, Kept]


@dataclass(frozen=True)
class Run:
    """What a run is made of; states of another run are refused."""

    schedule_sha256: str
    workload_sha256: str
    model_sha256: str
    seed: int
    precision: str = "float32"

    @classmethod
    def of(
        cls,
        schedule: Schedule,
        workload: Workload,
        model: SharedModel,
        seed: int,
        precision: str = "float32",
    ) -> "Run":
        """Return the digests of a run."""
        text = schedule_text(schedule).encode()
        data = _workload_digest(workload)
        return cls(hashlib.sha256(text).hexdigest(), data, model.digest(), seed, precision)


class Checkpoints:
    """The states of a run in a folder, which is made if need be.

    Parameters
    ----------
    folder : Path
        Where they are.
    run : Run
        What run they must be of.
    """

    def __init__(self, folder: Path, run: Run) -> None:
        self._folder, self._run = folder, run
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for half_written in folder.glob(".round-*"):  # of a run that was killed while it wrote
                half_written.unlink()
        except OSError as error:
            raise CheckpointError(f"checkpoint folder {str(folder)!r}: {error.strerror}") from error

    def save(self, progress: Progress) -> None:
        """Keep a state, whole or not at all.

        Raises
        ------
        CheckpointError
            If it cannot be written, for a full disk say; the last good state then stays.
        """
        from safetensors.numpy import save

        name = _name(len(progress.accuracies))
        arrays = dict(_arrays(progress))
        content = save({key: np.ascontiguousarray(array) for key, array in arrays.items()})
        facts = {
            "format": FORMAT,
            "version": VERSION,
            "run": asdict(self._run),
            "sha256": hashlib.sha256(content).hexdigest(),
            "accuracies": [dict(of_round) for of_round in progress.accuracies],
            "modules": list(progress.state),
            "kept": {
                module: {"num_models": kept.num_models, "number_of": kept.number_of}
                for module, kept in progress.kept.items()
            },
        }
        before = self._rounds()
        try:
            write_whole(self._folder / f"{name}.safetensors", content)
            write_whole(self._folder / f"{name}.json", _sealed(facts).encode())
        except OSError as error:
            last = f"the state after round {before[-1]} stays" if before else "there is no earlier state"
            raise CheckpointError(
                f"checkpoint {str(self._folder / name)!r} cannot be written: {error.strerror}; {last}: "
                "mend it and resume"
            ) from error
        for old in self._rounds()[:-NUM_KEPT]:
            self._remove(old)

    def __str__(self) -> str:
        return f"checkpoint folder {str(self._folder)!r}"

    def is_empty(self) -> bool:
        """Return whether there is no state yet."""
        return not self._rounds()

    def load(self) -> Progress | None:
        """Return the newest state; ``None`` if there is none.

        Raises
        ------
        CheckpointError
            If it is damaged or of another run.
        """
        rounds = self._rounds()
        if not rounds:
            return None
        try:
            return self._read(rounds[-1])
        except _Damage as damage:
            raise CheckpointError(f"{damage}; {self._remedy(rounds)}") from damage

    def _remedy(self, rounds: Sequence[int]) -> str:
        newest = self._folder / f"{_name(rounds[-1])}.*"
        for earlier in reversed(rounds[:-1]):
            try:
                self._read(earlier)
            except _Damage:
                continue
            return f"the state after round {earlier} is whole: remove {str(newest)!r} to resume from it"
        return "no earlier state is whole: start anew in another folder"

    def _read(self, num_rounds: int) -> Progress:
        from safetensors.numpy import load

        path = self._folder / f"{_name(num_rounds)}.json"
        facts = _facts(path)
        for what, expected in asdict(self._run).items():
            found = facts["run"].get(what)
            if found != expected:
                raise CheckpointError(
                    f"checkpoint {str(path)!r} is of another run: {what} is {found!r}, this run has "
                    f"{expected!r}; resume the same schedule, data, model, seed and precision, "
                    "or give another folder"
                )
        arrays_path = path.with_suffix(".safetensors")
        try:
            content = arrays_path.read_bytes()
        except OSError as error:
            raise _Damage(f"checkpoint {str(arrays_path)!r} cannot be read: {error.strerror}") from error
        if hashlib.sha256(content).hexdigest() != facts["sha256"]:
            raise _Damage(f"checkpoint {str(arrays_path)!r} is damaged: it has not the digest that was kept")
        return _progress(facts, load(content))

    def _rounds(self) -> list[int]:
        return sorted(int(path.stem.removeprefix("round-")) for path in self._folder.glob("round-*.json"))

    def _remove(self, num_rounds: int) -> None:
        for ending in ("json", "safetensors"):
            (self._folder / f"{_name(num_rounds)}.{ending}").unlink(missing_ok=True)


class _Damage(Exception):
    """A file that is not as it was written."""


def _name(num_rounds: int) -> str:
    return f"round-{num_rounds:06d}"


def _facts(path: Path) -> dict[str, Any]:
    try:
        facts = json.loads(path.read_bytes())
    except OSError as error:
        raise _Damage(f"checkpoint {str(path)!r} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise _Damage(f"checkpoint {str(path)!r} is damaged: no JSON ({error})") from error
    keys = {"format", "version", "run", "sha256", "accuracies", "modules", "kept", "facts_sha256"}
    if not isinstance(facts, dict) or facts.get("format") != FORMAT or not keys <= facts.keys():
        raise _Damage(f"checkpoint {str(path)!r} is damaged: it must have the keys {', '.join(sorted(keys))}")
    if facts["version"] != VERSION:
        raise CheckpointError(
            f"checkpoint {str(path)!r} has version {facts['version']!r}, must be {VERSION}; "
            "resume with the release that wrote it"
        )
    if _sealed({key: facts[key] for key in facts if key != "facts_sha256"}) != _text(facts):
        raise _Damage(f"checkpoint {str(path)!r} is damaged: it has not the digest that was kept")
    return facts


def _sealed(facts: Mapping[str, Any]) -> str:
    """Return facts as JSON, with the digest of their JSON as the last of them."""
    return _text({**facts, "facts_sha256": hashlib.sha256(_text(facts).encode()).hexdigest()})


def _text(facts: Mapping[str, Any]) -> str:
    return json.dumps(facts, indent=1) + "\n"


def _arrays(progress: Progress) -> Iterator[tuple[str, npt.NDArray[np.generic]]]:
    """Yield all arrays by names that are JSON lists: no name of a node or module can confuse them."""
    for module, rows in progress.state.items():
        yield json.dumps(["state", module]), rows
    for module, kept in progress.kept.items():
        for number, values in kept.models.items():
            yield json.dumps(["models", module, number]), values
        for node, rest in kept.rest_up.items():
            yield json.dumps(["rest_up", module, node]), rest
        for bits, rests in kept.rest_down.items():
            for node, rest in rests.items():
                yield json.dumps(["rest_down", module, bits, node]), rest
        for node, memory in kept.memories.items():
            for place, part in enumerate(memory):
                yield json.dumps(["memories", module, node, place]), part


def _progress(facts: Mapping[str, Any], arrays: Arrays) -> Progress:
    state: dict[str, Any] = {}
    kept = {
        module: Kept({}, number_of=found["number_of"], num_models=found["num_models"])
        for module, found in facts["kept"].items()
    }
    memories: dict[tuple[str, str], dict[int, Any]] = {}
    for name, array in arrays.items():
        values: Any = array.copy()  # what was read is not writable
        match json.loads(name):
            case ["state", module]:
                state[module] = values
            case ["models", module, number]:
                kept[module].models[number] = values
            case ["rest_up", module, node]:
                kept[module].rest_up[node] = values
            case ["rest_down", module, bits, node]:
                kept[module].rest_down.setdefault(bits, {})[node] = values
            case ["memories", module, node, place]:
                memories.setdefault((module, node), {})[place] = values
    for (module, node), parts in memories.items():
        kept[module].memories[node] = tuple(parts[place] for place in sorted(parts))
    in_order = {module: state[module] for module in facts["modules"]}
    return Progress(accuracies=facts["accuracies"], state=in_order, kept=kept)


def _workload_digest(workload: Workload) -> str:
    digest = hashlib.sha256(workload.name.encode())
    for name, task in sorted(workload.tasks.items()):
        digest.update(json.dumps([name, task.num_classes, task.modalities]).encode())
        for samples in (task.train, task.test):
            digest.update(np.ascontiguousarray(samples.labels).tobytes())
            for modality, values in sorted(samples.inputs.items()):
                digest.update(modality.encode())
                digest.update(np.ascontiguousarray(values).data)
    return digest.hexdigest()
