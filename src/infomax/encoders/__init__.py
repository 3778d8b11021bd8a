"""Encoders: signals in, features out, with named stages that a view can tap.

Any ``nn.Module`` serves in Python; these are the ones a recipe can name.
"""

from infomax.encoders.bag import Bag
from infomax.encoders.canonical import Canonical
from infomax.encoders.codebook import Codebook
from infomax.encoders.conv import ConvNet
from infomax.encoders.mlp import MLP
from infomax.encoders.resnet import ResNet
from infomax.encoders.sequence import GRU, Pool, Series
from infomax.encoders.sound import LogMel, Waveform
from infomax.encoders.transformer import Transformer

__all__ = [
    "GRU",
    "MLP",
    "Bag",
    "Canonical",
    "Codebook",
    "ConvNet",
    "LogMel",
    "Pool",
    "ResNet",
    "Series",
    "Transformer",
    "Waveform",
]
