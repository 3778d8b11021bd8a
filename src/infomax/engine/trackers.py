"""Other people's dashboards, through accelerate: ``train: {track: tensorboard}``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from accelerate import Accelerator

from infomax._errors import InfomaxError
from infomax.records import Metric

KNOWN = ("tensorboard", "wandb", "mlflow", "trackio")


def names(track: str | Sequence[str]) -> list[str]:
    """The trackers asked for, each known and installed.

    Raises:
        InfomaxError: one that is not.
    """
    from accelerate.tracking import get_available_trackers

    asked = [track] if isinstance(track, str) else list(track)
    installed = {str(getattr(name, "value", name)) for name in get_available_trackers()}
    for name in asked:
        if name not in KNOWN:
            raise InfomaxError(
                wanted="train.track: " + ", ".join(KNOWN), got=repr(name), fix="choose one of these"
            )
        if name not in installed:
            raise InfomaxError(
                wanted=f"{name} installed, for train.track",
                got="it is not",
                fix=f"pip install {name}, or take train.track out",
            )
    return asked


class Trackers:
    """What the run's trackers are told: every line of metrics.jsonl. Silent where there are none.

    Args:
        track: their names.
        out: the run folder; trackers that keep files do so in ``track/``.
        facts: the settings of the run.
    """

    def __init__(
        self, track: str | Sequence[str], out: Path, facts: dict[str, int | float | str]
    ) -> None:
        self._asked = names(track)
        if not self._asked:
            return
        self._accelerator = Accelerator(log_with=self._asked, project_dir=str(out / "track"))
        try:
            self._accelerator.init_trackers(out.name or "infomax", config=facts)
        except Exception as error:
            raise InfomaxError(
                wanted=f"to begin tracking with {', '.join(self._asked)}",
                got=f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}",
                fix="set the tracker up (see its documentation), or take train.track out",
            ) from None

    def log(self, metric: Metric) -> None:
        """Tell one line of metrics.jsonl."""
        if not self._asked:
            return
        told = {f"{metric.split}/objective": metric.objective}
        for term in metric.terms:
            told[f"{metric.split}/{'-'.join(term.between)}/{term.bound}"] = term.nats
        self._accelerator.log(told, step=metric.step)

    def close(self) -> None:
        """Let the trackers write what they still hold."""
        if self._asked:
            self._accelerator.end_training()
