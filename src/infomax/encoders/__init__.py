"""Encoders: signals in, features out, with named stages that a view can tap.

Any ``nn.Module`` serves in Python; these are the ones a recipe can name.
"""

from infomax.encoders.conv import ConvNet
from infomax.encoders.mlp import MLP
from infomax.encoders.resnet import ResNet

__all__ = ["MLP", "ConvNet", "ResNet"]
