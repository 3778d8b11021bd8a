"""The house of docs/architecture.md: who may import whom, and how large a room may be."""

import ast
from pathlib import Path

import infomax

HOME = Path(infomax.__file__).parent
FLOORS = [
    ["_errors", "_ranges"],
    ["_layers", "_math", "_taps", "records"],
    ["bounds", "gaussian", "pairing", "slices", "truth"],
    ["augment", "critics", "data", "encoders", "posteriors", "views"],
    ["objective", "recipe"],
    ["building", "checkpoint", "distributed", "heldout", "presence", "starting"],
    ["engine"],
    ["diagnostics", "estimation"],
    ["evaluation", "report"],
    ["comparison"],
    ["console", "runs"],
    ["explore"],
    ["cli"],
    ["__main__", "__init__"],
]
FLOOR = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}
NAMES_THAT_SAY_NOTHING = {"utils", "util", "base", "factories", "common", "misc", "helpers"}
LARGEST = 300


def modules():
    return sorted(path for path in HOME.rglob("*.py"))


def room(path):
    return path.relative_to(HOME).parts[0].removesuffix(".py")


def imported(path):
    """The rooms a module imports, at its top or inside a function."""
    rooms = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("infomax"):
            parts = node.module.split(".")
            rooms |= {parts[1]} if len(parts) > 1 else {alias.name for alias in node.names}
        elif isinstance(node, ast.Import):
            rooms |= {a.name.split(".")[1] for a in node.names if a.name.startswith("infomax.")}
    return rooms


def test_every_room_has_its_floor():
    assert {room(path) for path in modules()} <= set(FLOOR)


def test_nothing_imports_upward_or_sideways():
    wrong = []
    for path in modules():
        mine = room(path)
        if mine == "__init__":
            continue
        wrong += [
            f"{path.relative_to(HOME)} imports {other}"
            for other in imported(path) - {mine}
            if FLOOR[other] >= FLOOR[mine]
        ]
    assert not wrong


def test_bounds_see_no_critics_views_or_devices():
    for path in (HOME / "bounds").glob("*.py"):
        assert imported(path) <= {"_math", "_errors", "bounds"}
        assert "cuda" not in path.read_text()


def test_modules_are_rooms_not_halls():
    sizes = {str(p.relative_to(HOME)): len(p.read_text().splitlines()) for p in modules()}
    assert not {name: lines for name, lines in sizes.items() if lines > LARGEST}


def test_names_say_something_and_the_house_is_flat():
    for path in modules():
        parts = path.relative_to(HOME).parts
        assert len(parts) <= 2, path
        assert not {part.removesuffix(".py") for part in parts} & NAMES_THAT_SAY_NOTHING


def test_every_room_opens_with_what_it_is_for():
    for path in modules():
        assert ast.get_docstring(ast.parse(path.read_text())), path


def test_nothing_that_could_run_code_is_loaded():
    for path in modules():
        text = path.read_text()
        for risky in ("torch.load(", "pickle.load", "allow_pickle=True", "yaml.unsafe_load"):
            assert risky not in text, f"{path}: {risky}"
