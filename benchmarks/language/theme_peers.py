"""Other ways to find themes: BERTopic as it comes, and UMAP with k-means."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

BERTOPIC, UMAP_KMEANS = "BERTopic default", "UMAP to 5 and k-means 30"
UMAP_DIMENSIONS, CLUSTERS = 5, 30
TOP_WORDS = 10
# Numba's messages about threads have no place in a report.
os.environ.setdefault("NUMBA_THREADING_LAYER", "workqueue")


@dataclass(frozen=True, slots=True)
class FoundThemes:
    """What a method makes of the texts it is fitted on."""

    assigned: NDArray[np.int64]
    """Theme of each text, -1 where it has none."""
    words: tuple[tuple[str, ...], ...]
    """Key words of each theme, best first; none where the method names nothing."""
    model: Any = None

    @property
    def theme_count(self) -> int:
        return len(np.unique(self.assigned[self.assigned >= 0]))

    @property
    def unassigned_share(self) -> float:
        return float(np.mean(self.assigned < 0))


def missing(*packages: str) -> str | None:
    """Return why a peer cannot run, or None."""
    absent = [package for package in packages if find_spec(package) is None]
    return f"{', '.join(absent)} not installed in this environment" if absent else None


def bertopic(texts: Sequence[str], vectors: NDArray[np.float32], seed: int | None) -> FoundThemes:
    """Fit BERTopic with its defaults on given vectors; with a seed, its UMAP can be repeated."""
    from bertopic import BERTopic
    from umap import UMAP

    defaults = {
        "n_neighbors": 15,
        "n_components": 5,
        "min_dist": 0.0,
        "metric": "cosine",
        "low_memory": False,
    }
    reducer = None if seed is None else UMAP(**defaults, random_state=seed)
    model = BERTopic(umap_model=reducer)
    assigned, _ = model.fit_transform(list(texts), vectors)
    words = {topic: tuple(word for word, _ in scored if word) for topic, scored in model.get_topics().items()}
    count = max((topic for topic in words if topic >= 0), default=-1) + 1
    return FoundThemes(
        np.array(assigned, np.int64), tuple(words[topic][:TOP_WORDS] for topic in range(count)), model
    )


def bertopic_assign(
    found: FoundThemes, texts: Sequence[str], vectors: NDArray[np.float32]
) -> NDArray[np.int64]:
    """Return BERTopic's theme of texts it was not fitted on."""
    assigned, _ = found.model.transform(list(texts), vectors)
    return np.array(assigned, np.int64)


def umap_kmeans(vectors: NDArray[np.float32], seed: int) -> FoundThemes:
    """Fit UMAP to 5 dimensions and k-means with 30 clusters; it names nothing and leaves nothing out."""
    from sklearn.cluster import KMeans
    from umap import UMAP

    neighbours = min(15, len(vectors) - 1)
    reduced = UMAP(
        n_neighbors=neighbours, n_components=UMAP_DIMENSIONS, min_dist=0.0, metric="cosine", random_state=seed
    ).fit_transform(vectors)
    assigned = KMeans(min(CLUSTERS, len(vectors)), n_init=10, random_state=seed).fit_predict(reduced)
    return FoundThemes(assigned.astype(np.int64), ())
