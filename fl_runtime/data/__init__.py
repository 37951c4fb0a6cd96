"""Users' own data: folders of images and questions as tasks."""

from fl_runtime.data.data_file import named_folder, read_data_file
from fl_runtime.data.folder import VqaFolder
from fl_runtime.data.vqa import load_vqa
from fl_runtime.modules.inputs import InputFormat

__all__ = ["InputFormat", "VqaFolder", "load_vqa", "named_folder", "read_data_file"]
