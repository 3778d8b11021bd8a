"""A page to search a trained run: give a picture, a sound or a sentence, get the nearest contexts.

`Index` embeds, asks and answers, and knows nothing of HTTP; `application` puts it behind a few
addresses, `serve` listens for one person on this machine.
"""

from infomax.explore.addresses import application
from infomax.explore.index import Index, opened
from infomax.explore.serving import listening, serve

__all__ = ["Index", "application", "listening", "opened", "serve"]
