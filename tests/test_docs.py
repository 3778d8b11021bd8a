"""What the documents say of the code is what the code says."""

import re
from pathlib import Path

from infomax import bounds

DOCS = Path(__file__).parent.parent / "docs"
README = DOCS.parent / "README.md"


def rows():
    for line in (DOCS / "bounds.md").read_text().splitlines():
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if len(cells) == 6 and cells[2] in ("lower", "upper", "estimate"):
            yield cells


def test_the_table_of_bounds_is_that_of_the_code():
    table = {cells[0]: cells for cells in rows()}
    assert set(table) == {bound.name for bound in bounds.ALL}
    for bound in bounds.ALL:
        _, functions, side, ceiling, _, source = table[bound.name]
        assert side == bound.side, bound.name
        assert (ceiling == "–") == (bound.ceiling(64) is None), bound.name
        assert re.search(r"(19|20)\d\d|arXiv", source)
        for name in re.findall(r"`(\w+)\(", functions):
            assert callable(getattr(bounds, name))


def test_links_between_documents_lead_somewhere():
    for page in [README, *DOCS.glob("*.md")]:
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name} -> {target}"


def test_the_python_of_the_readme_runs():
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(), re.S)
    assert len(blocks) >= 2
    for block in blocks:
        exec(block, {})
