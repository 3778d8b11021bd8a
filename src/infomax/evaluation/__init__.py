"""What a trained model is worth, always beside its baselines and controls."""

from infomax.evaluation.baselines import choose_cca, fit_cca
from infomax.evaluation.embedding import embed, map_2d
from infomax.evaluation.nats import value_terms
from infomax.evaluation.probes import probe
from infomax.evaluation.retrieval import cosine, retrieve
from infomax.evaluation.whole import Evaluation, check, evaluate

__all__ = [
    "Evaluation",
    "check",
    "choose_cca",
    "cosine",
    "embed",
    "evaluate",
    "fit_cca",
    "map_2d",
    "probe",
    "retrieve",
    "value_terms",
]
