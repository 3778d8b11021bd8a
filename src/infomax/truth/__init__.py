"""Truth: samplers of pairs whose mutual information is known, to prove everything else on.

A `Problem` has `nats`, `sample(n, seed)`, and where they are closed the log-ratio and the
posterior. `scenes` renders pictures, sounds and captions that share chosen factors.
"""

from infomax.truth.bmi40 import bmi40
from infomax.truth.channels import gaussian_channel, mixture_channel, tanh_channel
from infomax.truth.clusters import clusters
from infomax.truth.gaussian import correlated, dense, from_covariance, sparse, student
from infomax.truth.problem import Problem, independent, joined
from infomax.truth.scalar import additive_uniform, censored, class_gaussian, class_uniform, table
from infomax.truth.scenes import FACTORS, Scenes
from infomax.truth.transforms import (
    Transform,
    asinh,
    cube,
    half_cube,
    inverse_cdf,
    mixing,
    normal_cdf,
    spiral,
    swiss_roll,
    transformed,
    two_humps,
    wiggly_x,
    wiggly_y,
)

__all__ = [
    "FACTORS",
    "Problem",
    "Scenes",
    "Transform",
    "additive_uniform",
    "asinh",
    "bmi40",
    "censored",
    "class_gaussian",
    "class_uniform",
    "clusters",
    "correlated",
    "cube",
    "dense",
    "from_covariance",
    "gaussian_channel",
    "half_cube",
    "independent",
    "inverse_cdf",
    "joined",
    "mixing",
    "mixture_channel",
    "normal_cdf",
    "sparse",
    "spiral",
    "student",
    "swiss_roll",
    "table",
    "tanh_channel",
    "transformed",
    "two_humps",
    "wiggly_x",
    "wiggly_y",
]
