"""Users' own data: folders of images and questions as tasks."""

from fl_runtime.data.data_file import DataFile, load_named, named_folder, named_model, read_data_file
from fl_runtime.data.folder import VqaFolder
from fl_runtime.data.model_choice import ModelChoice, load_own
from fl_runtime.data.vqa import load_vqa
from fl_runtime.modules.inputs import InputFormat

__all__ = [
    "DataFile",
    "InputFormat",
    "ModelChoice",
    "VqaFolder",
    "load_named",
    "load_own",
    "load_vqa",
    "named_folder",
    "named_model",
    "read_data_file",
]
