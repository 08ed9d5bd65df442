"""Fits the heads' weights: a small network for levels, one linear classifier for each topic."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from patient_feedback.language.heads import INTENTS

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

Weights = dict[str, NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class Features:
    """What a head reads of each comment, row by row."""

    embeddings: NDArray[np.float32]
    intents: NDArray[np.float32]
    phrases: csr_matrix


@dataclass(frozen=True, slots=True)
class LevelSettings:
    hidden: int = 128
    epochs: int = 7
    batch: int = 64
    learning_rate: float = 3e-3
    word_learning_rate: float = 6e-3
    dropout: float = 0.3
    embedding_dropout: float = 0.1
    weight_decay: float = 0.02
    word_weight_decay: float = 1e-5
    seed: int = 20_260_101


@dataclass(frozen=True, slots=True)
class TopicSettings:
    penalty: float = 0.5
    """C of the linear support vector machine: larger follows the examples more closely."""
    intent_scale: float = 0.5
    reader_penalty: float = 10.0
    """C of the logistic readers."""
    seed: int = 20_260_101


def fit_levels(
    features: Features, targets: NDArray[np.float32], rows: NDArray[np.intp], settings: LevelSettings
) -> Weights:
    """Return the weights of a network trained on `rows`; `targets` has one 1 for each comment."""
    import torch
    from torch.nn import functional

    threads = torch.get_num_threads()
    # One thread: with more, sums are added in another order and the bytes would differ between machines.
    torch.set_num_threads(1)
    random = torch.Generator().manual_seed(settings.seed)
    width, count = features.embeddings.shape[1], targets.shape[1]
    shapes: dict[str, tuple[tuple[int, int], float]] = {
        "hidden.embedding": ((width, settings.hidden), 3.0 / width**0.5),
        "hidden.intent": ((len(INTENTS), settings.hidden), 0.5),
        "output.hidden": ((settings.hidden, count), 0.1),
        "output.intent": ((len(INTENTS), count), 0.0),
        "output.words": ((features.phrases.shape[1], count), 0.0),
    }
    weights = {
        name: (torch.randn(shape, generator=random) * scale).requires_grad_()
        for name, (shape, scale) in shapes.items()
    }
    decayed = [weights["hidden.embedding"], weights["hidden.intent"], weights["output.hidden"]]
    optimiser = torch.optim.AdamW(
        [
            {"params": decayed, "weight_decay": settings.weight_decay},
            {"params": [weights["output.intent"]], "weight_decay": 0.0},
            {
                "params": [weights["output.words"]],
                "weight_decay": settings.word_weight_decay,
                "lr": settings.word_learning_rate,
            },
        ],
        lr=settings.learning_rate,
    )
    steps = settings.epochs * -(-len(rows) // settings.batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser,
        [settings.learning_rate, settings.learning_rate, settings.word_learning_rate],
        total_steps=max(2, steps),
        pct_start=0.1,
    )
    for _ in range(settings.epochs):
        shuffled = rows[torch.randperm(len(rows), generator=random).numpy()]
        for start in range(0, len(shuffled), settings.batch):
            chosen = shuffled[start : start + settings.batch]
            phrases = features.phrases[chosen]
            embedding = _dropped(
                torch.from_numpy(features.embeddings[chosen]), settings.embedding_dropout, random
            )
            intents = torch.from_numpy(features.intents[chosen])
            hidden = torch.relu(embedding @ weights["hidden.embedding"] + intents @ weights["hidden.intent"])
            logits = _dropped(hidden, settings.dropout, random) @ weights["output.hidden"]
            logits = logits + intents @ weights["output.intent"]
            logits = logits + functional.embedding_bag(
                torch.from_numpy(phrases.indices.astype(np.int64)),
                weights["output.words"],
                torch.from_numpy(phrases.indptr[:-1].astype(np.int64)),
                mode="sum",
                per_sample_weights=torch.from_numpy(phrases.data),
            )
            loss = functional.cross_entropy(logits, torch.from_numpy(targets[chosen]))
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
    torch.set_num_threads(threads)
    return _as_stored({name: tensor.detach().numpy() for name, tensor in weights.items()})


def fit_topics(
    features: Features, targets: NDArray[np.float32], rows: NDArray[np.intp], settings: TopicSettings
) -> Weights:
    """Return the weights of one linear classifier for each topic, trained on `rows`; they give margins."""
    from scipy.sparse import csr_matrix, hstack
    from sklearn.svm import LinearSVC

    joined = hstack(
        [
            csr_matrix(features.embeddings[rows]),
            csr_matrix(features.intents[rows] * settings.intent_scale),
            features.phrases[rows],
        ]
    ).tocsr()
    width, intents = features.embeddings.shape[1], len(INTENTS)
    columns = np.zeros((joined.shape[1], targets.shape[1]), np.float32)
    biases = np.full(targets.shape[1], -1.0, np.float32)
    for topic in range(targets.shape[1]):
        truth = targets[rows, topic]
        if 0 < truth.sum() < len(truth):
            machine = LinearSVC(C=settings.penalty, random_state=settings.seed).fit(joined, truth)
            columns[:, topic], biases[topic] = machine.coef_[0], machine.intercept_[0]
    return _as_stored(
        {
            "output.embedding": columns[:width],
            # Each comment has one intent, so the constant can ride on it.
            "output.intent": columns[width : width + intents] * settings.intent_scale + biases,
            "output.words": columns[width + intents :],
        }
    )


def fit_linear_readers(
    features: Features, targets: NDArray[np.float32], rows: NDArray[np.intp], settings: TopicSettings
) -> Weights:
    """Return logistic readers of the topics from the vector alone: theme space is built of them."""
    from sklearn.linear_model import LogisticRegression

    vectors = features.embeddings[rows]
    columns = np.zeros((vectors.shape[1], targets.shape[1]), np.float32)
    offsets = np.full((1, targets.shape[1]), -10.0, np.float32)
    for topic in range(targets.shape[1]):
        truth = targets[rows, topic]
        if 0 < truth.sum() < len(truth):
            reader = LogisticRegression(C=settings.reader_penalty, max_iter=300).fit(vectors, truth)
            columns[:, topic], offsets[0, topic] = reader.coef_[0], reader.intercept_[0]
    return _as_stored({"reader.embedding": columns, "reader.offset": offsets})


def averaged(networks: Sequence[Weights]) -> Weights:
    """Return one network that gives the mean of what `networks` give: their hidden layers side by side."""
    share = 1.0 / len(networks)
    joined = {
        name: np.concatenate([weights[name] for weights in networks], axis=1)
        for name in ("hidden.embedding", "hidden.intent")
    }
    joined["output.hidden"] = np.concatenate([weights["output.hidden"] * share for weights in networks])
    for name in ("output.intent", "output.words"):
        joined[name] = np.sum([weights[name] * share for weights in networks], axis=0)
    return _as_stored(joined)


def _as_stored(weights: Mapping[str, NDArray[Any]]) -> Weights:
    return {name: values.astype(np.float16).astype(np.float32) for name, values in weights.items()}


def _dropped(values: Any, share: float, random: Any) -> Any:
    """Dropout whose mask comes from `random`, so that a training can be repeated."""
    import torch

    return values * (torch.rand(values.shape, generator=random) >= share) / (1.0 - share)
