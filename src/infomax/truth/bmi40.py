"""The forty tasks of the benchmark "Beyond Normal", by their names there.

Source: Czyż, Grabowski, Vogt, Beerenwinkel, Marx 2023 (arXiv 2306.11078).
"""

from __future__ import annotations

import numpy as np

from infomax.truth.gaussian import dense, from_covariance, sparse, student
from infomax.truth.problem import Problem
from infomax.truth.scalar import additive_uniform
from infomax.truth.transforms import (
    Transform,
    asinh,
    half_cube,
    normal_cdf,
    spiral,
    swiss_roll,
    transformed,
    two_humps,
    wiggly_x,
    wiggly_y,
)


def _both(problem: Problem, transform: Transform) -> Problem:
    return transformed(problem, transform, transform)


def _spiralled(problem: Problem) -> Problem:
    turn_x = spiral(problem.dim_x, plane=(0, 1))
    return transformed(problem, turn_x, spiral(problem.dim_y, plane=(1, 2)))


def bmi40() -> dict[str, Problem]:
    """All forty, name -> problem.

    Example:
        >>> tasks = bmi40()
        >>> len(tasks), round(tasks["student-identity-5-5-2"].nats, 4)
        (40, 0.4482)
    """
    normal = from_covariance("1v1-normal-0.75", np.array([[1.0, 0.75], [0.75, 1.0]]), 1)
    uniform = _both(normal, normal_cdf)
    cauchy = student(1, 1, df=1)
    humps = (two_humps(0.3, 0.0, 5.0), two_humps(0.5, -1.0, 3.0))
    pairs = [sparse(d, d) for d in (3, 5, 25)]
    tasks = [
        normal,
        uniform,
        additive_uniform(0.1),
        additive_uniform(0.75),
        transformed(normal, *humps, name="1v1-bimodal-0.75"),
        transformed(normal, wiggly_x, wiggly_y),
        _both(normal, half_cube),
        cauchy,
        _both(cauchy, asinh),
        transformed(uniform, x=swiss_roll, name=f"swissroll_x-{uniform.name}"),
        *(dense(d, d) for d in (2, 3, 5, 25, 50)),
        sparse(2, 2),
        *pairs,
        *(student(d, d, df=df) for d, df in ((2, 1), (2, 2), (3, 2), (3, 3), (5, 2), (5, 3))),
        *(_both(p, normal_cdf) for p in pairs),
        *(_both(p, half_cube) for p in pairs),
        *(_spiralled(p) for p in pairs),
        *(_spiralled(_both(p, normal_cdf)) for p in pairs),
        *(_both(student(d, d, df=df), asinh) for d, df in ((2, 1), (3, 2), (5, 2))),
    ]
    return {task.name: task for task in tasks}
