"""ViLT from a folder of weights, or small and random."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from pickle import UnpicklingError
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from fl_runtime.defects import nearest
from fl_runtime.modules.inputs import BEGIN, END, InputFormat, Tokenise
from fl_runtime.modules.vilt import Vilt, ViltModules

SMALL: Mapping[str, float] = MappingProxyType(
    {
        "hidden_size": 64,
        "num_hidden_layers": 4,
        "num_attention_heads": 4,
        "intermediate_size": 128,
        "image_size": 64,
        "patch_size": 16,
        "vocab_size": 512,
        "max_position_embeddings": 16,
        "initializer_range": 0.2,  # ten times ViLT's: without pretraining, images must make a difference
    }
)
"""Configuration of the random model, unless another is given."""

_TOKENISER_FILES = ("tokenizer.json", "vocab.txt")


def vilt_model(
    folder: Path | None = None,
    config: Mapping[str, Any] | None = None,
    seed: int = 0,
    modules: ViltModules | None = None,
    image_size: int | None = None,
) -> Vilt:
    """Return ViLT, frozen.

    Parameters
    ----------
    folder : Path or None
        Folder with ``config.json``, weights and, if it has one, the tokeniser, as ``save_pretrained`` writes
        it; nothing is downloaded.  ``None``: random weights.
    config : mapping or None
        Fields of ``transformers.ViltConfig`` in place of those of ``SMALL``, for random weights alone.
    seed : int
        Of random weights.
    modules : ViltModules or None
        Sizes of what clients add.
    image_size : int or None
        Pixels of images in each direction, a multiple of the patch; ``None``: as in the configuration.

    Raises
    ------
    ValueError
        If the folder has no ViLT, a file is missing or damaged, a weight is missing or of a wrong shape, or
        a size cannot be.
    ImportError
        If transformers is not installed.
    """
    if find_spec("transformers") is None:
        raise ImportError("ViLT needs transformers: pip install 'hfedfm-opt[vilt]'")
    if folder is not None and config is not None:
        raise ValueError(f"the configuration of ViLT is that of {str(folder)!r}: leave out config")
    with _silent():
        vilt = _random({**SMALL, **(config or {})}, seed) if folder is None else _loaded(folder)
        tokenise = None if folder is None else _tokeniser(folder, vilt.config)
    settings, modules = vilt.config, modules or ViltModules()
    size = settings.image_size if image_size is None else image_size
    _check_sizes(settings, modules, size)
    inputs = InputFormat(
        image_size=size,
        colour=True,
        num_tokens=settings.vocab_size,
        text_length=settings.max_position_embeddings,
        tokenise=tokenise,
    )
    empty = [BEGIN, END] if tokenise is None else [number for number in tokenise([""])[0] if number != 0]
    return Vilt(vilt, modules, inputs, torch.tensor(empty))


def _check_sizes(settings: Any, modules: ViltModules, size: int) -> None:
    for name, value in asdict(modules).items():
        if value < 1:
            raise ValueError(f"{name} is {value}, must be 1 at least")
    for name, least in (("vocab_size", 8), ("max_position_embeddings", 4), ("num_hidden_layers", 1)):
        if getattr(settings, name) < least:
            raise ValueError(f"{name} is {getattr(settings, name)}, must be {least} at least")
    if settings.num_channels != 3:
        raise ValueError(f"num_channels is {settings.num_channels}, must be 3: images are in colour")
    if modules.num_blocks > settings.num_hidden_layers:
        raise ValueError(f"num_blocks is {modules.num_blocks}, must be at most {settings.num_hidden_layers}")
    if size < settings.patch_size or size % settings.patch_size:
        raise ValueError(f"image_size is {size}, must be a multiple of the patch, {settings.patch_size}")


def _random(config: Mapping[str, Any], seed: int) -> Any:
    from transformers import ViltConfig, ViltModel

    known = ViltConfig().to_dict()
    for name in config:
        if name not in known:
            raise ValueError(f"ViLT has no setting {name!r}{nearest(name, known)}")
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return ViltModel(ViltConfig(**config))
    except _refusals() as error:
        raise ValueError(f"there is no ViLT of these settings: {_first_line(error)}") from error


def _loaded(folder: Path) -> Any:
    from transformers import ViltConfig, ViltModel

    where = f"ViLT folder {str(folder)!r}"
    if not folder.is_dir():
        raise ValueError(f"{where} is no folder; give one with config.json and weights")
    if not (folder / "config.json").is_file():
        raise ValueError(f"{where} has no config.json; give a folder as save_pretrained writes it")
    try:
        settings, _ = ViltConfig.get_config_dict(folder, local_files_only=True)
        if settings.get("model_type", "vilt") != "vilt":
            raise ValueError(f"it is of a {settings['model_type']!r} model, must be of 'vilt'")
        config = ViltConfig.from_dict(settings)
        vilt, found = ViltModel.from_pretrained(
            folder,
            config=config,
            local_files_only=True,
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # they are refused below, in one line
        )
    except _refusals() as error:
        raise ValueError(f"{where} cannot be loaded: {_first_line(error)}") from error
    wrong = [
        f"{name} has the shape {tuple(got)}, must have {tuple(expected)}"
        for name, got, expected in sorted(found["mismatched_keys"])
    ]
    wrong += [f"{name} is missing" for name in sorted(found["missing_keys"])]
    if wrong:
        more = f" and {len(wrong) - 3} more" if len(wrong) > 3 else ""
        raise ValueError(f"{where} has weights that do not fit its config.json: {', '.join(wrong[:3])}{more}")
    return vilt.float()


def _tokeniser(folder: Path, config: Any) -> Tokenise | None:
    """Return the tokeniser of a folder; ``None`` if it has none."""
    from transformers import AutoTokenizer

    if not any((folder / name).is_file() for name in _TOKENISER_FILES):
        return None
    where = f"tokeniser in {str(folder)!r}"
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError, KeyError) as error:
        raise ValueError(f"{where} cannot be loaded: {_first_line(error)}") from error
    if tokenizer.pad_token_id != 0 or len(tokenizer) > config.vocab_size:
        raise ValueError(
            f"{where} fills up with token {tokenizer.pad_token_id} and has {len(tokenizer)} tokens; must be "
            f"token 0, and at most the {config.vocab_size} that the model knows"
        )

    def tokenise(questions: Sequence[str]) -> npt.NDArray[np.int64]:
        found = tokenizer(
            list(questions),
            padding="max_length",
            truncation=True,
            max_length=config.max_position_embeddings,
            return_tensors="np",
        )
        numbers: npt.NDArray[np.int64] = found["input_ids"].astype("int64")
        return numbers

    return tokenise


def _refusals() -> tuple[type[Exception], ...]:
    """Return what transformers raises for settings and files that it cannot take."""
    from huggingface_hub import errors
    from safetensors import SafetensorError

    strict = getattr(errors, "StrictDataclassError", ValueError)  # not in old releases
    return (OSError, ValueError, RuntimeError, KeyError, SafetensorError, UnpicklingError, strict)


def _first_line(error: Exception) -> str:
    text = str(error).strip()
    return text.splitlines()[0] if text else type(error).__name__


@contextmanager
def _silent() -> Iterator[None]:
    """Keep transformers' reports and progress bars off the terminal."""
    from transformers.utils import logging

    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()
