"""S3 over a connection: its own keys and address, whatever the environment says."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from channel import Channel
from drops import S3Drop, rows_of
from emulators.s3 import S3
from s3fs import S3FileSystem

from patient_feedback.errors import FeedbackError, PlaceUnavailableError
from patient_feedback.sources.extraction import SourceConnection


@pytest.fixture
def channel(channel_of: Any, s3_drop: S3Drop) -> Channel:
    s3_drop.put("1.csv", rows_of(("a", "Kind staff")))
    return channel_of(s3_drop)


@pytest.mark.parametrize("wrong", [{"password": "wrong-secret"}, {"login": "AKIAWRONG"}])
def test_refused_key_names_the_connection_and_no_secret(channel: Channel, wrong: dict[str, str]) -> None:
    channel.connection = replace(channel.connection, **wrong)
    with pytest.raises(FeedbackError, match="'drop_system' the right to read") as raised:
        channel.run()
    assert not isinstance(raised.value, PlaceUnavailableError)
    assert not any(value in str(raised.value) for value in wrong.values())


def test_keys_of_the_environment_are_not_those_of_the_connection(
    channel: Channel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "another")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    assert channel.run() == 1


def test_store_that_is_away_is_tried_again(channel: Channel, store: S3) -> None:
    away = replace(channel.connection, url="http://127.0.0.1:1")
    there, channel.connection = channel.connection, away
    with pytest.raises(PlaceUnavailableError, match="'drop' at s3://feedback-drop/in does not answer"):
        channel.run()
    channel.connection = there
    assert channel.run() == 1


def test_bucket_that_is_not_there_is_said_with_the_way_out(channel_of: Any, s3_drop: S3Drop) -> None:
    channel = channel_of(s3_drop, where={"path": "s3://feedback-drop/gone"})
    with pytest.raises(FeedbackError, match="s3://feedback-drop/gone, where there is nothing"):
        channel.run()


def test_object_that_is_replaced_while_it_is_read_never_lands_mixed(
    channel: Channel, s3_drop: S3Drop
) -> None:
    s3_drop.store.before_read = [lambda: s3_drop.put("1.csv", rows_of(("a", "Rude staff")))]
    assert channel.run() == 0
    assert channel.run() == 1
    assert channel.said("story") == {"a": "Rude staff"}


@pytest.mark.parametrize("way", ["list", "read"])
def test_storm_of_refusals_is_met_with_another_try(channel: Channel, store: S3, way: str) -> None:
    store.refusals = [(way, 503, "SlowDown")] * 3
    assert channel.run() == 1
    assert not store.refusals
    channel.assert_shows("story", {"a": "Kind staff"})


@pytest.mark.parametrize("way", ["list", "read"])
def test_store_that_fails_keeps_what_landed_before_and_is_tried_again(
    channel: Channel, s3_drop: S3Drop, way: str
) -> None:
    channel.run()
    s3_drop.put("2.csv", rows_of(("b", "Long wait")))
    s3_drop.store.refusals = [(way, 500, "InternalError")] * 9
    with pytest.raises(PlaceUnavailableError, match="feedback-drop/in"):
        channel.run()
    s3_drop.store.refusals.clear()
    channel.assert_shows("story", {"a": "Kind staff"})
    assert channel.run() == 1
    channel.assert_shows("story", {"a": "Kind staff", "b": "Long wait"})


def test_object_that_may_not_be_read_is_for_a_person(channel: Channel, store: S3) -> None:
    store.refusals = [("read", 403, "AccessDenied")]
    with pytest.raises(FeedbackError, match=r"feedback-drop/in may not be read") as raised:
        channel.run()
    assert not isinstance(raised.value, PlaceUnavailableError)
    assert channel.run() == 1


def test_store_that_never_answers_is_given_up(
    channel: Channel, silent_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(S3FileSystem, "retries", 1)
    there = channel.connection
    patience = {"connect_timeout": 0.2, "read_timeout": 0.2, "retries": {"max_attempts": 0}}
    silent = {"url": f"http://127.0.0.1:{silent_port}", "extra": {"config_kwargs": patience}}
    channel.connection = replace(there, **silent)
    with pytest.raises(PlaceUnavailableError, match="does not answer"):
        channel.run()
    channel.connection = there
    assert channel.run() == 1
    channel.assert_shows("story", {"a": "Kind staff"})


@pytest.fixture
def visitor(channel: Channel, store: S3) -> SourceConnection:
    """The connection of a user who may only take on a role, with the role."""
    role, key, secret = store.lend_to_visitor("north-trust")
    extra = {
        **channel.connection.extra,
        "role_arn": role,
        "assume_role_kwargs": {"ExternalId": "north-trust"},
        "service_config": {"sts": {"endpoint_url": store.url}},
    }
    return replace(channel.connection, login=key, password=secret, extra=extra)


def test_role_of_the_connection_lends_the_keys(channel: Channel, visitor: SourceConnection) -> None:
    channel.connection = replace(
        visitor, extra={name: value for name, value in visitor.extra.items() if name != "role_arn"}
    )
    with pytest.raises(FeedbackError, match="the right to read"):
        channel.run()
    channel.connection = visitor
    assert channel.run() == 1


def test_role_that_is_refused_names_the_connection_and_no_secret(
    channel: Channel, visitor: SourceConnection
) -> None:
    channel.connection = replace(visitor, password="wrong-secret")
    with pytest.raises(
        FeedbackError, match=r"'drop_system' may not be taken on \(.+\): check role_arn"
    ) as raised:
        channel.run()
    assert not isinstance(raised.value, PlaceUnavailableError)
    assert "wrong-secret" not in str(raised.value)


def test_service_of_roles_that_is_away_is_tried_again(channel: Channel, visitor: SourceConnection) -> None:
    away = {"sts": {"endpoint_url": "http://127.0.0.1:1"}}
    channel.connection = replace(visitor, extra={**visitor.extra, "service_config": away})
    with pytest.raises(PlaceUnavailableError, match="does not answer"):
        channel.run()


def test_other_ways_to_a_role_are_said_not_to_be_read(channel: Channel, visitor: SourceConnection) -> None:
    extra = {**visitor.extra, "assume_role_method": "assume_role_with_saml"}
    channel.connection = replace(visitor, extra=extra)
    with pytest.raises(FeedbackError, match="assume_role_with_saml"):
        channel.run()
