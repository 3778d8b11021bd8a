"""A real browser for the tests of pages: Chromium without a window."""

import shutil
import subprocess

import pytest

BROWSER = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))),
    None,
)
needs_browser = pytest.mark.skipif(BROWSER is None, reason="no Chromium on this machine")
FLAGS = [
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--hide-scrollbars", "--force-device-scale-factor=1", "--virtual-time-budget=4000",
    "--enable-logging=stderr",
]  # fmt: skip


def browse(page, home, *flags):
    """Open a file or an address in a fresh browser; gives what it wrote, its console's errors."""
    address = page if isinstance(page, str) else page.as_uri()
    done = subprocess.run(
        [BROWSER, *FLAGS, f"--user-data-dir={home}", *flags, address],
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )
    console = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    return done.stdout, console
