"""Whether a link leads to where its connection leads, however either is written."""

from __future__ import annotations

import pytest

from patient_feedback.sources.http_client import is_same_place


@pytest.mark.parametrize(
    ("base", "link"),
    [
        ("https://h.example.org:443/fhir", "https://h.example.org/fhir?page=2"),
        ("https://h.example.org/fhir", "https://h.example.org:443/fhir?page=2"),
        ("http://h.example.org:80/fhir", "http://h.example.org/fhir?page=2"),
        ("https://H.Example.org/fhir", "HTTPS://h.example.ORG/fhir?page=2"),
    ],
)
def test_same_place_in_another_spelling_is_the_same(base: str, link: str) -> None:
    assert is_same_place(link, base)


@pytest.mark.parametrize(
    "link",
    [
        "http://h.example.org/fhir",
        "https://h.example.org:8443/fhir",
        "https://h.example.org:80/fhir",
        "https://h.example.org.evil.example/fhir",
        "https://h.example.org@evil.example/fhir",
        "https://somebody:else@h.example.org/fhir",
        "https://h.example.org:99999/fhir",
        "https://h.example.org:port/fhir",
        "//h.example.org/fhir",
    ],
)
def test_another_scheme_host_port_or_user_is_another_place(link: str) -> None:
    assert not is_same_place(link, "https://h.example.org/fhir")
