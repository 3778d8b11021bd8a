"""Training: set up, fit, validate, save, resume. `fitting.fit` reads from top to bottom.

The engine knows no paper, no data set and no bound. Everything random in a step (augmentation,
dropout, posterior samples) is drawn from a generator seeded by (seed, step, place in the batch),
and the order of the data by (seed, epoch), so a resumed run repeats the uninterrupted one, and
several processes repeat one.
"""

from infomax.engine.clock import Clock
from infomax.engine.fitting import CLIP, Trained, Watch, fit
from infomax.engine.plan import seed_of
from infomax.engine.saving import LAST, best, resumable
from infomax.engine.setup import as_recipe_errors, check, set_up
from infomax.engine.stopping import Interrupted

__all__ = [
    "CLIP",
    "LAST",
    "Clock",
    "Interrupted",
    "Trained",
    "Watch",
    "as_recipe_errors",
    "best",
    "check",
    "fit",
    "resumable",
    "seed_of",
    "set_up",
]
