"""Themes of many generated comments in constant memory: `python -m benchmarks.language.streaming COUNT`.

Prints one line of JSON. A process of its own, because its peak memory is what is measured.
"""

from __future__ import annotations

import hashlib
import json
import sys
import time
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from benchmarks.language.machine import peak_memory_mb
from patient_feedback.themes.assign import assign_themes
from patient_feedback.themes.fit import fit_themes
from patient_feedback.themes.sample import SAMPLE_LIMIT, sample_texts

CHUNK = 10_000
DIMENSIONS = 384
SUBJECT_COUNT = 60
SPREAD = 0.9
"""Length of the random part of a vector beside its subject's unit vector."""
WARM_UP = 50
THINGS = "nurse doctor queue meal ward corridor ambulance letter parking appointment call medicine".split()  # noqa: SIM905
VERDICTS = "kind slow cold clean late helpful rude clear busy gentle".split()  # noqa: SIM905


def stream(count: int) -> Iterator[tuple[list[str], NDArray[np.float32]]]:
    """Yield chunks of texts and unit vectors, the same at each call."""
    centres = np.random.default_rng(0).normal(size=(SUBJECT_COUNT, DIMENSIONS)).astype(np.float32)
    centres /= np.linalg.norm(centres, axis=1, keepdims=True)
    for start in range(0, count, CHUNK):
        size = min(CHUNK, count - start)
        random = np.random.default_rng(1 + start)
        subjects = random.integers(0, SUBJECT_COUNT, size)
        vectors = random.standard_normal((size, DIMENSIONS), np.float32) * np.float32(
            SPREAD / DIMENSIONS**0.5
        )
        vectors += centres[subjects]
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        texts = [
            f"the {THINGS[subject % len(THINGS)]} was {VERDICTS[subject % len(VERDICTS)]} number {start + i}"
            for i, subject in enumerate(subjects.tolist())
        ]
        yield texts, vectors


def run(count: int) -> dict[str, float | None]:
    """Draw the sample in one pass, fit, assign all in a second pass; only the library's work is timed."""
    # What is imported on first use is no part of what is timed.
    texts, vectors = next(stream(WARM_UP))
    assign_themes(texts, vectors, fit_themes(texts, vectors).centres)
    kept_hashes: list[str] = []
    kept_texts: list[str] = []
    kept_vectors = np.zeros((0, DIMENSIONS), np.float32)
    sampling = assigning = 0.0
    for texts, vectors in stream(count):
        started = time.perf_counter()
        hashes = kept_hashes + [hashlib.sha256(text.encode()).hexdigest() for text in texts]
        # The sample of a sample and a chunk is the sample of all so far: the smallest hashes.
        chosen = sample_texts(hashes, SAMPLE_LIMIT)
        joined_texts = kept_texts + texts
        kept_hashes = [hashes[i] for i in chosen]
        kept_texts = [joined_texts[i] for i in chosen]
        kept_vectors = np.concatenate([kept_vectors, vectors])[chosen]
        sampling += time.perf_counter() - started
    started = time.perf_counter()
    model = fit_themes(kept_texts, kept_vectors)
    fitting = time.perf_counter() - started
    assigned = 0
    for texts, vectors in stream(count):
        started = time.perf_counter()
        assigned += int((assign_themes(texts, vectors, model.centres).themes >= 0).sum())
        assigning += time.perf_counter() - started
    return {
        "count": count,
        "sample_seconds": sampling,
        "fit_seconds": fitting,
        "assign_seconds": assigning,
        "assigned": assigned,
        "peak_mb": peak_memory_mb(),
    }


if __name__ == "__main__":
    print(json.dumps(run(int(sys.argv[1]))))
