"""What a trained model is worth, always beside its baselines and controls."""

from infomax.evaluation.embedding import embed, map_2d, raw
from infomax.evaluation.nats import value_terms
from infomax.evaluation.probes import probe
from infomax.evaluation.whole import evaluate, label_of

__all__ = ["embed", "evaluate", "label_of", "map_2d", "probe", "raw", "value_terms"]
