"""The Python blocks of the README and the tour run as they stand, and what the documents point to exists."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


DOCUMENTS_WITH_PYTHON = [
    "README.md",
    "docs/embedding.md",
    "docs/front.md",
    "docs/living-network.md",
    "docs/real-networks.md",
    "docs/sweep.md",
    "docs/tour.md",
    "docs/transport.md",
]


@pytest.mark.parametrize("name", DOCUMENTS_WITH_PYTHON)
def test_python_blocks_run(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / name).read_text(), flags=re.DOTALL)
    assert blocks
    for block in blocks:
        exec(compile(block, name, "exec"), {})


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(document: Path) -> None:
    text = re.sub(r"```.*?```", "", document.read_text(), flags=re.DOTALL)
    targets = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text)
    local = [target for target in targets if "://" not in target]
    missing = [target for target in local if not (document.parent / target).exists()]
    assert missing == []


def test_the_makefile_has_the_commands_of_the_readme() -> None:
    makefile, readme = (ROOT / "Makefile").read_text(), (ROOT / "README.md").read_text()
    commands = re.findall(r"^    make (\w+)", readme, flags=re.MULTILINE)
    assert commands == ["compare", "test"]
    for command in commands:
        assert re.search(rf"^{command}:", makefile, flags=re.MULTILINE)
