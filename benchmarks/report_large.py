"""How long the report of a large run takes, and in how much memory.

    python benchmarks/report_large.py RUN [RUN …] [--repeats 3]

For each finished run folder: `infomax report RUN` in a process of its own, several times, the
median; peak memory of that process; the size of the page; and how long headless Chromium, where it
is installed, takes to open the page and print it as a document tree. Aims: a run of 60,000 contexts
under 60 s and 2 GB; a page under 10 MB that opens in under 2 s. Writes
benchmarks/results/report_large.csv.
"""

import argparse
import csv
import json
import resource
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

RESULTS = Path(__file__).parent / "results" / "report_large.csv"
COLUMNS = ("run", "contexts", "seconds", "peak_mb", "page_mb", "chromium_seconds", "empty_seconds",
           "repeats", "torch")  # fmt: skip


def timed(command, repeats):
    """Median seconds of a command, which must succeed."""
    seconds = []
    for _ in range(repeats):
        begun = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        seconds.append(time.perf_counter() - begun)
    return round(statistics.median(seconds), 2)


def opening(page, repeats):
    """Seconds in which Chromium starts, opens a page and ends."""
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        return ""
    flags = ["--headless=new", "--no-sandbox", "--disable-gpu", "--dump-dom"]
    return timed([browser, *flags, page], repeats)


def row(run, repeats):
    results = json.loads((run / "results.json").read_text())
    command = [sys.executable, "-m", "infomax", "report", str(run)]
    seconds = timed(command, repeats)
    page = (run / "report.html").resolve()
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    return {
        "run": results["data"]["name"] + ", " + run.name,
        "contexts": sum(results["data"]["contexts"].values()),
        "seconds": seconds,
        "peak_mb": round(peak),
        "page_mb": round(page.stat().st_size / 2**20, 2),
        "chromium_seconds": opening(page.as_uri(), repeats),
        "empty_seconds": opening("about:blank", repeats),
        "repeats": repeats,
        "torch": results["environment"].get("torch", ""),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--out", type=Path, default=RESULTS)
    asked = parser.parse_args()
    with asked.out.open("w", newline="") as file:
        table = csv.DictWriter(file, COLUMNS)
        table.writeheader()
        for run in asked.runs:
            found = row(run, asked.repeats)
            table.writerow(found)
            print(found)


if __name__ == "__main__":
    main()
