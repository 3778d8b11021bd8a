"""Shapes are checked in tests (jaxtyping + beartype) and cost nothing in use."""

from pathlib import Path

from jaxtyping import install_import_hook

# The command line is left out: typer hands it a context of its own making.
HOME = Path(__file__).parent.parent / "src" / "infomax"
ROOMS = {path.stem for path in HOME.iterdir() if path.stem not in ("__init__", "__main__", "cli")}
hook = install_import_hook(sorted(f"infomax.{room}" for room in ROOMS), "shapes.check")
