"""Sources of contexts turned into batches of signals, with honest splits."""

from infomax.data.columns import Column, Kind
from infomax.data.contexts import SPLITS, Batch, Contexts
from infomax.data.loading import SOURCES, load
from infomax.data.plain import encode_texts
from infomax.data.spec import DataSpec, SignalSpec, SplitSpec, override, parse_spec
from infomax.data.table import separator

__all__ = [
    "SOURCES",
    "SPLITS",
    "Batch",
    "Column",
    "Contexts",
    "DataSpec",
    "Kind",
    "SignalSpec",
    "SplitSpec",
    "encode_texts",
    "load",
    "override",
    "parse_spec",
    "separator",
]
