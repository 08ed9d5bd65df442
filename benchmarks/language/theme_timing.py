"""Seconds that one method takes for themes: `python -m benchmarks.language.theme_timing FOLDER METHOD SIZE`.

FOLDER holds what `Material.keep` wrote. Prints one line of JSON. A process of its own for each timing: in a
shared one, what a method leaves behind (threads, memory, garbage) slows the next.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

from benchmarks.language import theme_peers
from benchmarks.language.inflated import inflated
from benchmarks.language.streaming import Material
from benchmarks.language.theme_peers import BERTOPIC, UMAP_KMEANS
from benchmarks.language.themes import OURS, ours
from benchmarks.machine import seconds


def run(material: Material, method: str, size: int, threads: int) -> float:
    """Return the seconds for fit and assignment of `size` comments, imports and compilation left out."""

    texts, vectors = inflated(material.texts, material.vectors, size, seed=size)
    ways: dict[str, Callable[[], object]] = {
        OURS: lambda: ours(texts, vectors, material.readers, threads),
        BERTOPIC: lambda: theme_peers.bertopic(texts, vectors, None),
        UMAP_KMEANS: lambda: theme_peers.umap_kmeans(vectors, 1),
    }
    # The same work once before: numba compiles by what it meets, and that differs with the size.
    ways[method]()
    return seconds(ways[method])


if __name__ == "__main__":
    folder, method, size, threads = sys.argv[1:]
    print(json.dumps(run(Material.kept(Path(folder)), method, int(size), int(threads))))
