"""Benchmarks run seldom: what they take from infomax must be there all the same."""

import ast
import importlib
from pathlib import Path

import pytest

SCRIPTS = sorted((Path(__file__).parent.parent / "benchmarks").glob("*.py"))


def taken(tree):
    """(module, name) of all that is imported from infomax, and of attributes of such modules."""
    modules = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "infomax":
            for alias in node.names:
                yield node.module, alias.name
                modules[alias.asname or alias.name] = f"{node.module}.{alias.name}"
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            path = modules.get(node.value.id)
            if path and is_module(path):
                yield path, node.attr


def is_module(path):
    try:
        importlib.import_module(path)
    except ModuleNotFoundError:
        return False
    return True


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_what_a_benchmark_takes_from_infomax_is_there(script):
    for path, name in taken(ast.parse(script.read_text())):
        there = hasattr(importlib.import_module(path), name) or is_module(f"{path}.{name}")
        assert there, f"{path} has no {name}"


def test_a_name_that_is_gone_is_seen():
    (_, gone) = [name for _, name in taken(ast.parse("from infomax import engine\nengine.gone"))]
    assert gone == "gone" and not hasattr(importlib.import_module("infomax.engine"), gone)
