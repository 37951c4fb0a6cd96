import importlib.util
import sys
from pathlib import Path

path = Path(__file__).parent / "federations.py"
spec = importlib.util.spec_from_file_location("living_federations", path)
module = importlib.util.module_from_spec(spec)
sys.modules["living_federations"] = module
spec.loader.exec_module(module)
