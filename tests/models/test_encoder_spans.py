"""Vectors of parts of a text, read in the context of the whole."""

from __future__ import annotations

import numpy as np
import pytest

from patient_feedback.language.encoder import Encoder

KIND, COLD = "The nurses were kind.", "The food was cold."
TEXTS = ["Parking", f"{KIND} {COLD}", "Staff " * 400]
PARTS = [(0, len(KIND)), (len(KIND) + 1, len(KIND) + 1 + len(COLD))]


def test_vectors_of_texts_are_those_without_spans(encoder: Encoder) -> None:
    vectors, span_vectors = encoder.encode_spans(TEXTS, [[(0, 7)], PARTS, []])
    np.testing.assert_array_equal(vectors, encoder.encode(TEXTS))
    assert span_vectors.shape == (3, encoder.dimensions)
    np.testing.assert_allclose(np.linalg.norm(span_vectors, axis=1), 1.0, atol=1e-5)


def test_a_part_says_what_it_is_about(encoder: Encoder) -> None:
    _, (kind, cold) = encoder.encode_spans(TEXTS[1:2], [PARTS])
    nurses, food = encoder.encode([KIND, COLD])
    assert kind @ nurses > cold @ nurses
    assert cold @ food > kind @ food


def test_spans_do_not_depend_on_the_other_texts(encoder: Encoder) -> None:
    _, together = encoder.encode_spans(TEXTS, [[(0, 3)], PARTS, [(0, 12)]])
    _, alone = encoder.encode_spans(TEXTS[1:2], [PARTS])
    np.testing.assert_array_equal(alone, together[1:3])


def test_spans_of_all_tokens_or_of_none_have_the_vector_of_their_text(encoder: Encoder) -> None:
    text = TEXTS[2]
    vectors, span_vectors = encoder.encode_spans(
        [text], [[(0, len(text)), (5, 5), (len(text) - 6, len(text))]]
    )
    np.testing.assert_array_equal(span_vectors, np.repeat(vectors, 3, axis=0))


def test_no_texts_give_no_vectors_of_spans(encoder: Encoder) -> None:
    vectors, span_vectors = encoder.encode_spans([], [])
    assert vectors.shape == span_vectors.shape == (0, encoder.dimensions)


def test_texts_and_spans_must_be_equally_many(encoder: Encoder) -> None:
    with pytest.raises(ValueError, match="2 texts have 1 lists of spans"):
        encoder.encode_spans(["a", "b"], [[]])
