"""SMART backend services: the client signs with its private key, and a token that runs out is fetched again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from discharge_forms import channel_of, said, truth
from emulators.fhir import GRANTING, FhirServer
from emulators.server import Emulator, Fault

from patient_feedback.errors import FeedbackError, PlaceUnavailableError
from patient_feedback.settings import Settings
from patient_feedback.sources.extraction import SourceConnection

CLIENT = "feedback-client"


def key_pair(algorithm: str) -> tuple[str, str]:
    """Return a private and a public key (PEM)."""
    private = (
        rsa.generate_private_key(public_exponent=65537, key_size=2048)
        if algorithm == "RS384"
        else ec.generate_private_key(ec.SECP384R1())
    )
    secret = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return secret.decode(), public.decode()


@pytest.fixture(scope="module")
def rsa_keys() -> tuple[str, str]:
    return key_pair("RS384")


@pytest.fixture
def forms() -> FhirServer:
    forms = FhirServer()
    for number in range(1, 8):
        forms.put(f"r{number}", said(f"The nurse was kind {number}"))
    return forms


@pytest.fixture
def emulator(forms: FhirServer) -> Any:
    with forms.emulator() as emulator:
        yield emulator


def connected(
    warehouse: Settings, tmp_path: Path, emulator: Emulator, private_key: str, **changes: Any
) -> Any:
    channel = channel_of(warehouse, tmp_path, emulator)
    extra = {"token_url": f"{emulator.url}{GRANTING}", **changes.pop("extra", {})}
    given = {"login": CLIENT, "password": private_key, **changes}
    channel.connection = SourceConnection("responses_system", f"{emulator.url}/fhir", extra=extra, **given)
    return channel


@pytest.mark.parametrize("algorithm", ["RS384", "ES384"])
def test_client_that_signs_is_given_what_it_asks_for(
    warehouse: Settings, tmp_path: Path, forms: FhirServer, emulator: Emulator, algorithm: str
) -> None:
    private, public = key_pair(algorithm)
    forms.client = (CLIENT, public)
    channel = connected(
        warehouse, tmp_path, emulator, private, extra={"algorithm": algorithm, "key_id": "k1"}
    )
    assert channel.run() == 7
    channel.assert_shows("said", truth(forms))
    assert sum(GRANTING in one for one in emulator.requests) == 1


def test_token_that_runs_out_while_paging_is_fetched_again(
    warehouse: Settings, tmp_path: Path, forms: FhirServer, emulator: Emulator, rsa_keys: tuple[str, str]
) -> None:
    forms.client, forms.uses_of_token = (CLIENT, rsa_keys[1]), 2
    channel = connected(warehouse, tmp_path, emulator, rsa_keys[0])
    assert channel.run() == 7
    channel.assert_shows("said", truth(forms))
    assert sum(GRANTING in one for one in emulator.requests) > 1


def test_token_service_that_is_away_is_asked_again(
    warehouse: Settings, tmp_path: Path, forms: FhirServer, emulator: Emulator, rsa_keys: tuple[str, str]
) -> None:
    forms.client = (CLIENT, rsa_keys[1])
    channel = connected(warehouse, tmp_path, emulator, rsa_keys[0])
    emulator.faults += [Fault(status=503, path=GRANTING), Fault(body=b"{", path=GRANTING)]
    assert channel.run() == 7
    emulator.faults += [Fault(status=503, path=GRANTING)] * 6
    with pytest.raises(PlaceUnavailableError, match="responses"):
        channel.run()


@pytest.mark.parametrize(
    ("changes", "said_of_it"),
    [
        ({"login": ""}, "lacks a login"),
        ({"login": "another-client"}, "private key"),
        ({"password": key_pair("RS384")[0]}, "private key"),
        ({"password": "no key at all"}, "is no private key"),
        ({"extra": {"algorithm": "none of these"}}, "is no private key"),
    ],
    ids=["no client", "unknown client", "other key", "no key", "unknown algorithm"],
)
def test_client_that_is_refused_is_told_what_to_mend_and_its_key_is_not_shown(
    warehouse: Settings,
    tmp_path: Path,
    forms: FhirServer,
    emulator: Emulator,
    rsa_keys: tuple[str, str],
    changes: dict[str, Any],
    said_of_it: str,
) -> None:
    forms.client = (CLIENT, rsa_keys[1])
    channel = connected(warehouse, tmp_path, emulator, rsa_keys[0], **changes)
    with pytest.raises(FeedbackError, match="responses_system") as raised:
        channel.run()
    assert said_of_it in str(raised.value)
    for secret in (rsa_keys[0].splitlines()[1], "no key at all", "token-"):
        assert secret not in str(raised.value)
    assert channel.rows("select count(*) from landing.delivery") == [(0,)]
