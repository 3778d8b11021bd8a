"""The results in plain words. A lower bound is "at least", an upper "at most", else "about"."""

from __future__ import annotations

import math
from collections.abc import Sequence

from infomax.records import Probe, Representation, Results, Term

SIGN = {"lower": "≥", "upper": "≤", "estimate": "≈"}
WORDS = {"lower": "at least", "upper": "at most", "estimate": "about"}
SIDES = {
    "lower": "lower bound",
    "upper": "upper bound",
    "estimate": "estimate, not a bound",
}

ADVICE = {
    "ok": "Nothing to mend.",
    "saturated": "The value stands at its ceiling, so the truth may be far higher. Double "
    "train.batch (each doubling lifts the ceiling by 0.69 nats), let the critic reach further "
    "(a lower temperature), or take a bound without a ceiling, such as nwj.",
    "overfitted": "The training value is memory, not information. Augment the views, take a "
    "smaller critic or encoder, train for fewer epochs, or bring more contexts. Quote only the "
    "held-out value.",
    "collapsed": "Nothing is found between the views, or one of them has (nearly) stopped varying. "
    "Train longer, lower the learning rate, weaken the minimized terms, and check that the signals "
    "vary and belong together.",
    "high-variance": "The error is too large for the value to mean much. Evaluate on more "
    "contexts, or take a bound of low variance (infonce, or interpolated).",
    "crossed": "The numbers contradict each other: a lower bound above an upper one, or "
    "information between shuffled pairs. Do not quote them; train longer or with another critic, "
    "and check the data for duplicates across contexts.",
}

MOST_NAMED = 3
"""Terms beside the main one that are told one by one."""
HARDLY = 0.005
"""Nats that would be written as 0.00."""

SPHERE = {"alignment": "0 together, 2 unrelated", "uniformity": "0 one point, lower is more even"}
"""How the two numbers of a representation on the sphere are read."""


def nats(value: float, error: float = math.nan) -> str:
    """Write a number of nats as finely as its error deserves: ``2.91``, ``0.004``, ``-``.

    Example:
        >>> nats(2.913, 0.02), nats(0.00412, 0.0003), nats(math.nan)
        ('2.91', '0.0041', '–')
    """
    if not math.isfinite(value):
        return "–"
    digits = 2
    if math.isfinite(error) and 0 < error < 0.005:
        digits = min(4, math.ceil(-math.log10(error)))
    text = f"{value:.{digits}f}"
    return (text[1:] if float(text) == 0 and text[0] == "-" else text).replace("-", "−")


def with_error(value: float, error: float) -> str:
    """Write ``2.91 ± 0.02``, one standard error."""
    if not math.isfinite(value) or not math.isfinite(error):
        return nats(value)
    digits = len(nats(value, error).partition(".")[2])
    return f"{nats(value, error)} ± {max(error, 10**-digits if error else 0):.{digits}f}"


def error(value: float, stderr: float) -> str:
    """Write ``± 0.02 · ``, or nothing where there is no error."""
    _, plus, amount = with_error(value, stderr).partition("± ")
    return f"± {amount} · " if plus else ""


def percent(value: float | None) -> str:
    """Write a share as a percentage with one decimal."""
    return "–" if value is None or not math.isfinite(value) else f"{100 * value:.1f}\u00a0%"


def pair(term: Term) -> str:
    """Name the ends of an edge, how far apart they are, and what they are conditional on."""
    *others, last = term.between
    more = ([ahead(term)] if ahead(term) else []) + ([f"given {term.given}"] if term.given else [])
    return f"{', '.join(others)} and {last}" + (f" ({', '.join(more)})" if more else "")


def ahead(term: Term) -> str:
    """Say how many steps ahead the second end lies; empty where that is not asked."""
    if not isinstance(term.positions, int):
        return ""
    return f"{term.positions} step{'s' * (term.positions != 1)} ahead"


def headline(results: Results | None) -> str:
    """Say in one sentence what was learned."""
    term = main(results.terms) if results else None
    if results is None or term is None:
        return "This run has no held-out result yet."
    if not math.isfinite(term.nats):
        return f"The information between {pair(term)} could not be computed."
    if results.verdict == "crossed" or term.verdict == "crossed":
        return f"The numbers for {pair(term)} contradict each other."
    if shows_nothing(term):
        return f"No shared information could be shown between {pair(term)}."
    amount = with_error(term.nats, term.stderr)
    return f"The views {pair(term)} share {WORDS[term.side]} {amount} nats."


def main(terms: Sequence[Term]) -> Term | None:
    """Choose the term to speak of first: the heaviest maximized one."""
    return max(terms, key=lambda term: term.weight, default=None)


def shows_nothing(term: Term) -> bool:
    """Tell whether a lower bound is within two standard errors of zero, or hardly above it."""
    error = term.stderr if math.isfinite(term.stderr) else 0.0
    return term.side != "upper" and term.nats <= max(2 * error, HARDLY)


def meaning(term: Term) -> list[str]:
    """Explain one term's numbers: what it means, its ceiling, training, and the control."""
    out: list[str] = []
    if not math.isfinite(term.nats):
        return ["The value is not a number: training or evaluation went wrong."]
    if not shows_nothing(term) and term.side != "upper" and term.verdict != "crossed":
        many = len(term.between) > 2
        seen = "the true others together" if many else "its true partner"
        out.append(
            f"Seeing one of the {len(term.between) if many else 'two'} makes {seen} "
            f"{WORDS[term.side]} {_factor(math.exp(term.nats))} times more likely (geometric mean)"
            + (
                " than drawn each by itself: their total correlation, what pairs show and more."
                if many
                else "."
            )
        )
    if term.ceiling is not None and math.isfinite(term.ceiling) and term.ceiling > 0:
        out.append(
            f"This measurement cannot show more than {nats(term.ceiling)} nats, its ceiling; "
            f"the value reaches {max(0.0, 100 * term.nats / term.ceiling):.0f} % of it."
        )
    if math.isfinite(term.train_nats):
        gap = term.train_nats - term.nats
        small = gap <= max(0.05, 0.05 * abs(term.nats))
        out.append(
            f"On the training contexts the same number is {nats(term.train_nats)}: "
            + ("nearly the same." if small else f"{nats(gap)} of it do not carry over to new ones.")
        )
    if math.isfinite(term.control_nats):
        error = term.stderr if math.isfinite(term.stderr) else 0.0
        odd = term.side == "lower" and term.control_nats > max(3 * error, 0.02)
        out.append(
            f"With the pairs shuffled it shows {nats(term.control_nats)} nats"
            + (", although nothing is shared then: do not trust it." if odd else ", as it should.")
        )
    return out


def others(terms: Sequence[Term]) -> list[str]:
    """Say what the terms beside the main one show: each if they are few, or else their range."""
    first = main(terms)
    rest = [term for term in terms if term is not first]
    known = [term for term in rest if math.isfinite(term.nats)]
    if len(rest) > MOST_NAMED:
        if not known:
            return []
        low, high = (f(term.nats for term in known) for f in (min, max))
        return [f"{len(rest)} more terms show {nats(low)} to {nats(high)} nats (see below)."]
    named = [
        f"{pair(term)} {WORDS[term.side]} {with_error(term.nats, term.stderr)}"
        + (" (minimized)" if term.weight < 0 else "")
        for term in known
    ]
    return [f"Beside it, in nats: {'; '.join(named)}."] if named else []


def probe_sentence(probe: Probe, contexts: int | None) -> str:
    """Compare the learned view with the raw input and the untrained encoder."""
    error = probe_error(probe, contexts) or 0.0
    raw = _gain(probe.learned, probe.raw, "the raw input", error)
    untrained = _gain(probe.learned, probe.untrained, "the untrained encoder", error)
    return (
        f"With {labels(probe)}, {method(probe)} reads {probe.label} from {probe.view} with "
        f"{percent(probe.learned)} accuracy: {raw}; {untrained}."
    )


def probe_error(probe: Probe, contexts: int | None) -> float | None:
    """Give the standard error of the learned accuracy: as recorded, or that of a proportion."""
    if probe.stderr is not None and math.isfinite(probe.stderr):
        return probe.stderr
    if not contexts or not 0 <= probe.learned <= 1:
        return None
    return math.sqrt(probe.learned * (1 - probe.learned) / contexts)


def sphere(shape: Representation | None) -> list[str]:
    """Say how the learned view lies on the sphere: alignment, uniformity, their plain meaning."""
    out: list[str] = []
    if shape is None:
        return out
    if math.isfinite(shape.alignment):
        near = "near each other" if shape.alignment < 1 else "hardly nearer than unrelated ones"
        out.append(
            f"On the sphere, the two views of a context lie {near}: alignment "
            f"{nats(shape.alignment)} (mean squared distance; {SPHERE['alignment']})."
        )
    if math.isfinite(shape.uniformity):
        out.append(
            f"How different contexts spread over it: uniformity {nats(shape.uniformity)} (0 all in "
            "one point; about −4 over the whole of a sphere of many dimensions)."
        )
    return out


def labels(probe: Probe) -> str:
    """Say how many labels a probe was given."""
    return "all labels" if probe.labels_used == "all" else f"{probe.labels_used} labels a class"


def method(probe: Probe) -> str:
    """Name the classifier of a probe."""
    return {
        "accuracy": "a linear probe",
        "balanced_accuracy": "a linear probe, classes counted alike",
        "knn_accuracy": "k-nearest-neighbours",
    }.get(probe.metric, probe.metric)


def _gain(learned: float, baseline: float, of: str, error: float) -> str:
    if not math.isfinite(baseline) or not math.isfinite(learned):
        return f"{of} was not compared"
    gain = learned - baseline
    side = "above" if gain > 0 else "below"
    doubt = " (within two standard errors)" if abs(gain) <= 2 * error else ""
    if abs(gain) < 0.0005:
        return f"the same as {of}"
    return f"{abs(100 * gain):.1f} points {side} {of}, {percent(baseline)}{doubt}"


def _factor(ratio: float) -> str:
    if ratio < 10:
        return f"{ratio:.1f}"
    return f"{ratio:,.0f}" if ratio < 1e6 else f"{ratio:.0e}"


def duration(seconds: float) -> str:
    """Write seconds as a person would.

    Example:
        >>> duration(93.1), duration(40.2), duration(7300)
        ('1 min 33 s', '40 s', '2 h 1 min')
    """
    if not math.isfinite(seconds):
        return "–"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
