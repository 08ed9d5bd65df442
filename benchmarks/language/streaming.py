"""Themes of many comments in constant memory: `python -m benchmarks.language.streaming FOLDER COUNT`.

FOLDER holds what `Material.keep` wrote. Prints one line of JSON. A process of its own, because its peak
memory is what is measured.
"""

from __future__ import annotations

import hashlib
import json
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.language.inflated import inflated
from benchmarks.language.readings import TopicReaders, fit_arguments
from benchmarks.machine import peak_memory_mb
from patient_feedback.themes import SAMPLE_LIMIT
from patient_feedback.themes.assign import assign_themes
from patient_feedback.themes.fit import fit_themes

CHUNK = 10_000
WARM_UP = 50
ARRAYS, NAMES = "arrays.npz", "names.json"


@dataclass(frozen=True, slots=True)
class Material:
    """The comments that the stream is drawn from."""

    texts: tuple[str, ...]
    vectors: NDArray[np.float32]
    readers: TopicReaders | None

    def keep(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        arrays: dict[str, Any] = {"vectors": self.vectors}
        if self.readers:
            arrays |= {"weights": self.readers.weights, "offsets": self.readers.offsets}
        np.savez(folder / ARRAYS, **arrays)
        names = {"texts": self.texts, "labels": self.readers.labels if self.readers else None}
        (folder / NAMES).write_text(json.dumps(names), encoding="utf-8")

    @classmethod
    def kept(cls, folder: Path) -> Material:
        names = json.loads((folder / NAMES).read_text(encoding="utf-8"))
        with np.load(folder / ARRAYS, allow_pickle=False) as arrays:
            readers = None
            if names["labels"] is not None:
                readers = TopicReaders(arrays["weights"], arrays["offsets"], tuple(names["labels"]))
            return cls(tuple(names["texts"]), arrays["vectors"], readers)

    def stream(self, count: int) -> Iterator[tuple[list[str], NDArray[np.float32]]]:
        """Yield chunks of texts and unit vectors, the same at each call."""
        for start in range(0, count, CHUNK):
            yield inflated(self.texts, self.vectors, min(CHUNK, count - start), 1 + start, start)


def run(material: Material, count: int) -> dict[str, float | None]:
    """Draw the sample in one pass, fit, assign all in a second pass; only the library's work is timed."""
    # What is imported on first use is no part of what is timed.
    readers = fit_arguments(material.readers)
    texts, vectors = next(material.stream(WARM_UP))
    assign_themes(texts, vectors, fit_themes(texts, vectors, **readers).centres)
    kept_hashes: list[str] = []
    kept_texts: list[str] = []
    kept_vectors = np.zeros((0, material.vectors.shape[1]), np.float32)
    sampling = assigning = 0.0
    for texts, vectors in material.stream(count):
        started = time.perf_counter()
        hashes = kept_hashes + [hashlib.sha256(text.encode()).hexdigest() for text in texts]
        # The smallest hashes, as the pipeline has PostgreSQL draw them: a sample of a sample and a chunk is one of all.
        chosen = sorted(range(len(hashes)), key=hashes.__getitem__)[:SAMPLE_LIMIT]
        joined_texts = kept_texts + texts
        kept_hashes = [hashes[i] for i in chosen]
        kept_texts = [joined_texts[i] for i in chosen]
        kept_vectors = np.concatenate([kept_vectors, vectors])[chosen]
        sampling += time.perf_counter() - started
    started = time.perf_counter()
    model = fit_themes(kept_texts, kept_vectors, **readers)
    fitting = time.perf_counter() - started
    assigned = 0
    for texts, vectors in material.stream(count):
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
    print(json.dumps(run(Material.kept(Path(sys.argv[1])), int(sys.argv[2]))))
