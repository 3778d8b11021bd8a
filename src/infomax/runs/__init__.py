"""A run folder from start to end: train, evaluate, embed, and what they leave behind.

::

    RUN/recipe.yaml          the recipe as resolved
        metrics.jsonl        one line a validation
        checkpoints/         last.safetensors, best.safetensors
        model.safetensors    encoders and critics at the best validation value
        results.json         held-out nats, probes, environment
        map.npz              two coordinates for each of some test contexts
        views.json           one test context as each view has it, to look at
        neighbours.json      some contexts looked for by another view, to look at
        report.html          all of it, to look at
"""

from infomax.runs.folder import environment, of, write_array
from infomax.runs.running import embed, evaluate, load, train

__all__ = ["embed", "environment", "evaluate", "load", "of", "train", "write_array"]
