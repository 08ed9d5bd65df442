"""The real encoder, loaded once for all tests of the models."""

from __future__ import annotations

import pytest

from patient_feedback.language.encoder import SentenceTransformerEncoder, load_encoder
from patient_feedback.settings import DEFAULT_ENCODER


@pytest.fixture(scope="session")
def encoder() -> SentenceTransformerEncoder:
    return load_encoder(DEFAULT_ENCODER, threads=2)
