"""A low-rank adapter that bends the encoder towards patient feedback, learnt from labelled comments.

LoRA (Hu et al. 2021) on the attention and feed-forward layers of the upper part of the encoder. The
lower part stays as published, so what it gives is computed once and training takes minutes on a
processor. Several tasks are learnt at once, so that the vectors keep more than one kind of meaning:
the sentiment level and the patient's rating (given the question's intent), the topics, nearness of
comments that share topics, and the geometry of the published encoder.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from patient_feedback.contract import QuestionIntent
from patient_feedback.errors import ModelError
from patient_feedback.language.adapter_weights import CONFIG_FILE, MANIFEST_FILE, WEIGHTS_FILE
from patient_feedback.language.encoder import weights_sha256
from patient_feedback.language.heads import INTENTS, intent_columns
from patient_feedback.language.labelled import LEVEL_COUNT, LabelledComments

if TYPE_CHECKING:
    import torch

ADAPTED_MODULES = ("query", "key", "value", "dense")
BATCHES_PER_SORT = 16
"""Comments are sorted by length within this many batches, so that little is padded."""


@dataclass(frozen=True, slots=True)
class AdapterSettings:
    rank: int = 16
    alpha: int = 32
    first_layer: int = 2
    """Layers below this one stay as published."""
    epochs: int = 6
    batch: int = 48
    learning_rate: float = 8e-4
    head_learning_rate: float = 2e-3
    weight_decay: float = 0.01
    dropout: float = 0.1
    """Of each layer's outputs. Attention and the adapter itself have none: there it costs more time than the layers."""
    token_dropout: float = 0.0
    """Share of a comment's tokens that the upper part does not see in a step."""
    vector_dropout: float = 0.1
    intent_dropout: float = 0.5
    """Share of the comments of a step whose question is not told: the vector must say by itself what is good."""
    hidden: int = 256
    neighbour_share: float = 0.1
    """Share of a sentiment target that goes to the levels beside it: they are ordered."""
    topic_weight: float = 10.0
    maximum_rarity: float = 4.0
    """A topic's examples count up to this many times as much as its counterexamples."""
    rating_weight: float = 0.3
    contrast_weight: float = 0.1
    temperature: float = 0.1
    geometry_weight: float = 2.0
    maximum_tokens: int = 128
    seed: int = 20_260_101


class AdapterTraining:
    """The published encoder with every comment already through its lower part; adapters are fitted on top."""

    def __init__(
        self, base: Path, comments: LabelledComments, settings: AdapterSettings, threads: int
    ) -> None:
        import torch
        from sentence_transformers import SentenceTransformer

        torch.set_num_threads(threads)
        self._settings = settings
        self._comments = comments
        self._base = base
        model: Any = SentenceTransformer(
            str(base), device="cpu", local_files_only=True, model_kwargs={"use_safetensors": True}
        ).eval()
        transformer = model[0].model
        if not hasattr(getattr(transformer, "encoder", None), "layer"):
            raise ModelError(
                f"The encoder in {base} is not built like BERT or RoBERTa: only those can be adapted. "
                "Train heads without an adapter."
            )
        distinct = list(dict.fromkeys(comments.texts))
        row_of = {text: i for i, text in enumerate(distinct)}
        self._row = np.array([row_of[text] for text in comments.texts])
        tokens = model.tokenizer(distinct, truncation=True, max_length=settings.maximum_tokens)["input_ids"]
        self._length = np.array([len(ids) for ids in tokens])
        self._lower = self._lower_states(transformer, tokens)
        self.base_vectors = self._vectors(transformer)

    def fit(self, rows: NDArray[np.intp], topics: NDArray[np.float32], seed: int) -> Any:
        """Return the encoder's transformer wrapped by PEFT, trained on `rows` of the comments.

        `topics` is 0/1, shape (comments, topics).
        """
        import torch
        from peft import LoraConfig, get_peft_model
        from sentence_transformers import SentenceTransformer

        settings = self._settings
        torch.manual_seed(seed)
        shuffle = np.random.default_rng(seed)
        model: Any = SentenceTransformer(
            str(self._base), device="cpu", local_files_only=True, model_kwargs={"use_safetensors": True}
        )
        layers = len(model[0].model.encoder.layer)
        adapted = get_peft_model(
            model[0].model,
            LoraConfig(
                r=settings.rank,
                lora_alpha=settings.alpha,
                target_modules=list(ADAPTED_MODULES),
                layers_to_transform=list(range(settings.first_layer, layers)),
                layers_pattern="layer",
            ),
        )
        for name, module in adapted.named_modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = settings.dropout if name.endswith("output.dropout") else 0.0
        heads = _Heads(self.base_vectors.shape[1], topics.shape[1], settings.hidden)
        trainable = [p for p in adapted.parameters() if p.requires_grad]
        optimiser = torch.optim.AdamW(
            [
                {"params": trainable, "weight_decay": settings.weight_decay},
                {"params": heads.parameters(), "weight_decay": settings.weight_decay},
            ]
        )
        rates = [settings.learning_rate, settings.head_learning_rate]
        batches = [batch for _ in range(settings.epochs) for batch in self._epoch(rows, shuffle)]
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimiser, rates, total_steps=len(batches) + 1, pct_start=0.1
        )
        loss_of = self._loss(rows, topics)
        adapted.train()
        for batch in batches:
            with _mixed_precision():
                vectors = self._upper(adapted.base_model.model, self._row[batch], settings.token_dropout)
            loss = loss_of(batch, vectors, heads)
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(trainable, 1.0)
            optimiser.step()
            schedule.step()
        return adapted.eval()

    def vectors_learnt_from(
        self, rows: NDArray[np.intp], topics: NDArray[np.float32], seed: int
    ) -> NDArray[np.float32]:
        """Return the vectors of all comments by an adapter that is trained on `rows` and thrown away."""
        return self.vectors(self.fit(rows, topics, seed))

    def save(self, adapted: Any, folder: Path, name: str, trained_on: dict[str, Any]) -> None:
        """Write the adapter in PEFT's layout, in float16, with a manifest."""
        from peft import get_peft_model_state_dict
        from safetensors.torch import save

        folder.mkdir(parents=True, exist_ok=True)
        adapted.peft_config["default"].base_model_name_or_path = None
        adapted.peft_config["default"].save_pretrained(str(folder))
        state = get_peft_model_state_dict(adapted)
        weights = save({key: state[key].half().contiguous() for key in sorted(state)})
        (folder / WEIGHTS_FILE).write_bytes(weights)
        manifest = {
            "name": name,
            "base_sha256": weights_sha256(self._base),
            "weights_sha256": hashlib.sha256(weights).hexdigest(),
            "config_sha256": hashlib.sha256((folder / CONFIG_FILE).read_bytes()).hexdigest(),
            "trained_on": {**trained_on, "comment_count": len(self._comments.texts)},
            "training": asdict(self._settings),
        }
        (folder / MANIFEST_FILE).write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")

    def vectors(self, adapted: Any) -> NDArray[np.float32]:
        """Return the unit vectors of all comments by an adapter, shape (comments, dimensions)."""
        return self._vectors(adapted.base_model.model)

    def _lower_states(self, transformer: Any, tokens: list[list[int]]) -> list[torch.Tensor]:
        import torch

        states: list[torch.Tensor] = [torch.empty(0)] * len(tokens)
        with torch.inference_mode(), _mixed_precision():
            for chosen in self._groups():
                hidden = transformer.embeddings(input_ids=torch.tensor([tokens[i] for i in chosen]))
                for layer in transformer.encoder.layer[: self._settings.first_layer]:
                    hidden = layer(hidden)
                for i, state in zip(chosen, hidden, strict=True):
                    states[i] = state.bfloat16()
        with torch.no_grad():
            return [state.clone() for state in states]

    def _vectors(self, transformer: Any) -> NDArray[np.float32]:
        import torch

        transformer.eval()
        vectors: list[NDArray[np.float32]] = [np.empty(0, np.float32)] * len(self._length)
        with torch.inference_mode(), _mixed_precision():
            for chosen in self._groups():
                for i, vector in zip(chosen, self._upper(transformer, chosen).float().numpy(), strict=True):
                    vectors[i] = vector
        return np.stack(vectors)[self._row]

    def _groups(self) -> list[NDArray[np.intp]]:
        """Return rows of equal length, sixty-four at most at a time."""
        order = np.argsort(self._length, kind="stable")
        cuts = np.flatnonzero(np.diff(self._length[order])) + 1
        return [
            same[start : start + 64] for same in np.split(order, cuts) for start in range(0, len(same), 64)
        ]

    def _upper(self, transformer: Any, rows: NDArray[np.intp], token_dropout: float = 0.0) -> torch.Tensor:
        """Return unit vectors: the upper layers, the mean over the tokens, length one."""
        import torch
        from torch.nn.functional import normalize
        from torch.nn.utils.rnn import pad_sequence

        states = [self._lower[i] for i in rows]
        if token_dropout:
            # The first token and the last stand for no word and stay.
            states = [state[_kept_tokens(len(state), token_dropout)] for state in states]
        hidden = pad_sequence(states, batch_first=True)
        lengths = torch.tensor([len(state) for state in states])
        is_token = torch.arange(hidden.shape[1])[None, :] < lengths[:, None]
        mask = None if bool(is_token.all()) else is_token[:, None, None, :]
        for layer in transformer.encoder.layer[self._settings.first_layer :]:
            hidden = layer(hidden, mask)
        total = (hidden.float() * is_token[:, :, None]).sum(dim=1)
        return normalize(total / lengths[:, None], dim=1)

    def _epoch(self, rows: NDArray[np.intp], shuffle: np.random.Generator) -> list[NDArray[np.intp]]:
        size = self._settings.batch
        shuffled = shuffle.permutation(rows)
        batches: list[NDArray[np.intp]] = []
        for start in range(0, len(shuffled), size * BATCHES_PER_SORT):
            part = shuffled[start : start + size * BATCHES_PER_SORT]
            part = part[np.argsort(self._length[self._row[part]], kind="stable")]
            batches += [part[i : i + size] for i in range(0, len(part), size)]
        return [batches[i] for i in shuffle.permutation(len(batches))]

    def _loss(
        self, rows: NDArray[np.intp], topics: NDArray[np.float32]
    ) -> Callable[[NDArray[np.intp], torch.Tensor, Any], torch.Tensor]:
        import torch
        from torch.nn import functional

        settings, comments = self._settings, self._comments
        intents = torch.from_numpy(intent_columns(comments.intents))
        unasked = torch.from_numpy(intent_columns([QuestionIntent.OPEN.value]))
        levels, ratings = torch.from_numpy(comments.levels), torch.from_numpy(comments.ratings)
        truth, published = torch.from_numpy(topics), torch.from_numpy(self.base_vectors)
        level_targets = _neighbouring_targets(settings.neighbour_share)
        counts = truth[rows].sum(dim=0).clamp(min=1)
        rarity = ((len(rows) - counts) / counts).sqrt().clamp(1.0, settings.maximum_rarity)

        def loss(batch: NDArray[np.intp], vectors: torch.Tensor, heads: Any) -> torch.Tensor:
            dropped = functional.dropout(vectors, settings.vector_dropout)
            is_told = torch.rand(len(batch), 1) >= settings.intent_dropout
            asked = torch.where(is_told, intents[batch], unasked)
            level_logits, topic_logits, rating_logits = heads(dropped, asked)
            total = settings.topic_weight * functional.binary_cross_entropy_with_logits(
                topic_logits, truth[batch], pos_weight=rarity
            )
            if (known := levels[batch] >= 0).any():
                total = total + functional.cross_entropy(
                    level_logits[known], level_targets[levels[batch][known]]
                )
            if (known := ratings[batch] >= 0).any():
                total = total + settings.rating_weight * functional.cross_entropy(
                    rating_logits[known], ratings[batch][known]
                )
            total = total + settings.contrast_weight * _contrast(vectors, truth[batch], settings.temperature)
            nearness = published[batch] @ published[batch].T
            return total + settings.geometry_weight * ((vectors @ vectors.T - nearness) ** 2).mean()

        return loss


def _Heads(width: int, topic_count: int, hidden: int) -> Any:  # noqa: N802 (a class that needs torch)
    """Return the heads that teach the adapter; they are thrown away afterwards."""
    from torch import nn

    class Heads(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.hidden = nn.Linear(width, hidden)
            self.hidden_intent = nn.Linear(len(INTENTS), hidden, bias=False)
            nn.init.normal_(self.hidden_intent.weight, std=0.5)
            self.levels = nn.Linear(hidden, LEVEL_COUNT)
            self.levels_by_intent = nn.Linear(width * len(INTENTS), LEVEL_COUNT)
            self.topics = nn.Linear(width, topic_count)
            self.topics_intent = nn.Linear(len(INTENTS), topic_count)
            self.ratings = nn.Linear(hidden, LEVEL_COUNT)

        def forward(
            self, vectors: torch.Tensor, intents: torch.Tensor
        ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
            scaled = vectors * width**0.5 * 0.6
            hidden_states = nn.functional.dropout(
                nn.functional.relu(self.hidden(scaled) + self.hidden_intent(intents)), 0.2, self.training
            )
            crossed = (scaled.unsqueeze(1) * intents.unsqueeze(2)).flatten(1)
            levels = self.levels(hidden_states) + 0.5 * self.levels_by_intent(crossed)
            return levels, self.topics(scaled) + self.topics_intent(intents), self.ratings(hidden_states)

    return Heads()


def _kept_tokens(count: int, dropout: float) -> torch.Tensor:
    import torch

    is_kept = torch.rand(count) >= dropout
    is_kept[0] = is_kept[-1] = True
    return is_kept


def _neighbouring_targets(share: float) -> torch.Tensor:
    import torch

    targets = torch.eye(LEVEL_COUNT) * (1.0 - share)
    for level in range(LEVEL_COUNT):
        beside = [other for other in (level - 1, level + 1) if 0 <= other < LEVEL_COUNT]
        for other in beside:
            targets[level, other] += share / len(beside)
    return targets


def _contrast(vectors: torch.Tensor, truth: torch.Tensor, temperature: float) -> torch.Tensor:
    """Supervised contrast (Khosla et al. 2020); how much two comments attract is the Jaccard index of their topics."""
    import torch

    shared = truth @ truth.T
    either = truth.sum(dim=1, keepdim=True) + truth.sum(dim=1) - shared
    apart = 1.0 - torch.eye(len(vectors))
    attraction = shared / either.clamp(min=1.0) * apart
    similarity = (vectors @ vectors.T / temperature) - (1.0 - apart) * 1e4
    log_share = torch.log_softmax(similarity, dim=1)
    weight = attraction.sum(dim=1)
    has_partner = weight > 0
    if not has_partner.any():
        return vectors.sum() * 0.0
    return (-(attraction * log_share).sum(dim=1)[has_partner] / weight[has_partner]).mean()


def _mixed_precision() -> AbstractContextManager[Any]:
    """bfloat16 products where the processor has them."""
    import torch

    capabilities = torch.cpu.get_capabilities()
    fast = bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))
    return torch.autocast("cpu", torch.bfloat16, enabled=fast)
