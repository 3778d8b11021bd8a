"""One error family. Every message says what was wanted, what came, and what to do."""

from __future__ import annotations


class InfomaxError(ValueError):
    """Something a user can mend: bad input, a bad recipe, a number that cannot be had.

    The command line prints it whole and exits with 2; nothing half-written is left behind.

    Example:
        >>> print(InfomaxError(wanted="two or more pairs", got="1 pair", fix="give more samples"))
        wanted: two or more pairs
        got:    1 pair
        do:     give more samples
    """

    def __init__(self, *, wanted: str, got: str, fix: str) -> None:
        super().__init__(f"wanted: {wanted}\ngot:    {got}\ndo:     {fix}")
        self.wanted = wanted
        self.got = got
        self.fix = fix


class NotFinite(InfomaxError):
    """A number that should have been finite is not: NaN went in, or a model diverged."""
