"""Seconds until `infomax --help` has answered and `import infomax` is done, each in a new process.

    python benchmarks/start_up.py [--repeats 5]

`from infomax import bounds` is beside them: the first name that needs torch. Medians; the first
round is not counted; seconds of the processor are those that others on the machine do not lengthen.
Writes benchmarks/results/start_up.csv. Aims: 0.5 s and 1.5 s.
"""

import argparse
import csv
import resource
import statistics
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path

RESULTS = Path(__file__).parent / "results" / "start_up.csv"
WAYS = {
    "infomax --help": ["-m", "infomax", "--help"],
    "import infomax": ["-c", "import infomax"],
    "from infomax import bounds": ["-c", "from infomax import bounds"],
}


def seconds(words):
    """Seconds on the wall, and of the processor."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run([sys.executable, *words], check=True, stdout=subprocess.DEVNULL)
    wall, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5)
    asked = parser.parse_args()
    found = {what: [] for what in WAYS}
    for turn in range(asked.repeats + 1):
        for what, words in WAYS.items():
            taken = seconds(words)
            found[what] += [taken] if turn else []
    RESULTS.parent.mkdir(exist_ok=True)
    with RESULTS.open("w", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        head = "what seconds fastest slowest of_processor rounds torch python"
        table.writerow(head.split())
        facts = (asked.repeats, version("torch"), sys.version.split()[0])
        for what, times in found.items():
            wall, processor = zip(*times, strict=True)
            speed = [f(wall) for f in (statistics.median, min, max)]
            speed.append(statistics.median(processor))
            row = (what, *(round(value, 3) for value in speed), *facts)
            table.writerow(row)
            print(*row)


if __name__ == "__main__":
    main()
