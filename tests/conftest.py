"""Shapes are checked in tests (jaxtyping + beartype) and cost nothing in use."""

from jaxtyping import install_import_hook

hook = install_import_hook("infomax", "beartype.beartype")
