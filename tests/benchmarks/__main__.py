"""python -m tests.benchmarks [QUESTION…], all of them by default.

Each question starts servers of its own on the current bundle and prints a table.
The load generators share the machine with the server: compare figures of one run with each other only.
"""

import shutil
import sys

from tests.benchmarks import archive, series, serving, steady

ASKED = (
    serving.start,
    serving.connections,
    serving.batches,
    serving.sides,
    steady.overload,
    steady.distinct,
    steady.takeover,
    series.slices,
    archive.followed,
)
QUESTIONS = {question.__name__: question for question in ASKED}

if __name__ == "__main__":
    if not shutil.which("wrk"):
        sys.exit("error: wrk is needed: apt install wrk")
    for name in sys.argv[1:] or QUESTIONS:
        QUESTIONS[name]()
