"""Peak memory of one process that lands, maps and accepts: `python -m benchmarks.ingestion.memory ROWS`.

Prints one line of JSON. Redaction is left out: its models take the same memory whatever is delivered.
"""

from __future__ import annotations

import json
import sys
import time

from benchmarks.ingestion.deliveries import declared, generated_feedback
from benchmarks.ingestion.loads import decide, land
from benchmarks.machine import peak_memory_mb
from benchmarks.warehouses import warehouses


def run(count: int) -> dict[str, float | None]:
    with warehouses() as made, made.empty() as settings:
        path = generated_feedback(made.folder / "feedback.csv", count)
        source = declared(made.folder, "generated", "csv_file", path)
        started = time.perf_counter()
        landed = land(settings, source)
        after_landing = peak_memory_mb()
        accepted = decide(settings, source, landed, lambda texts: [(text, 0) for text in texts])
        seconds = time.perf_counter() - started
    assert accepted == count, f"{accepted} of {count} records were accepted"
    return {"landing_mb": after_landing, "peak_mb": peak_memory_mb(), "seconds": seconds}


if __name__ == "__main__":
    print(json.dumps(run(int(sys.argv[1]))))
