"""Asks a system over HTTP, patiently: rate limits, Retry-After, back-off, and errors that hold no secret."""

from __future__ import annotations

import json
import logging
import ssl
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import IO, Any, Self
from urllib.parse import urljoin, urlsplit

import httpx
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception_type,
    stop_after_attempt,
    wait_exponential_jitter,
)

from patient_feedback.errors import FeedbackError, PlaceUnavailableError
from patient_feedback.sources.declaration import Source
from patient_feedback.sources.extraction import ExtractionRequest
from patient_feedback.sources.size_bounds import ByteBudget, TooLargeError
from patient_feedback.sources.token_grant import TokenGrant

ATTEMPTS = 6
LONGEST_WAIT_SECONDS = 120.0
DEFAULT_PORTS = {"http": 80, "https": 443}
CHUNK_BYTES = 1024 * 1024
Parameters = Mapping[str, Any] | list[tuple[str, str]] | None
_AGAIN_LATER = frozenset({408, 425, 429, 500, 502, 503, 504})
_BACK_OFF = wait_exponential_jitter(initial=1.0, max=LONGEST_WAIT_SECONDS)

# It logs every address, with what stands behind the question mark.
logging.getLogger("httpx").setLevel(logging.WARNING)


@lru_cache(maxsize=1)
def _trusted() -> ssl.SSLContext:
    """Whom to trust, read once: the certificates of the world take longer to read than an answer takes to come."""
    return httpx.create_ssl_context()


def wait_seconds(seconds: float) -> None:
    time.sleep(seconds)


class _TryAgainError(Exception):
    """An answer that another try may better."""

    def __init__(self, what: str, after_seconds: float | None = None) -> None:
        super().__init__(what)
        self.after_seconds = after_seconds


class SourceClient:
    """A client of one system; use it as a context manager.

    `refusal` reads a JSON answer and returns what is wrong with it where a system says an error with status
    200. With a `grant` each request bears an access token, which is fetched again where it ran out. `reset_seconds`
    reads from an answer that says "later" how long to wait, where a system says it otherwise than by Retry-After.
    Raises PlaceUnavailableError where tries run out, and FeedbackError where another try is no use.
    """

    def __init__(
        self,
        request: ExtractionRequest,
        headers: Mapping[str, str] | None = None,
        *,
        grant: TokenGrant | None = None,
        requests_per_second: float | None = None,
        refusal: Callable[[Any], str | None] = lambda _: None,
        reset_seconds: Callable[[httpx.Response], float | None] = lambda _: None,
    ) -> None:
        from pyrate_limiter import Duration, Limiter, Rate

        self._source = request.source
        self._connection = request.connection
        self._clock = request.clock
        self._base = request.connection.url.rstrip("/") + "/"
        if not urlsplit(self._base).netloc:
            raise FeedbackError(
                f"The Airflow connection '{request.connection.name}' has no host: put the system's address there."
            )
        self._grant, self._access_token = grant, ""
        self._refusal = refusal
        self._reset_seconds = reset_seconds
        timeout = request.source.request.timeout_seconds
        self._client = httpx.Client(headers=dict(headers or {}), timeout=timeout, verify=_trusted())
        self._keyless = httpx.Client(timeout=timeout, verify=_trusted())
        rate = request.source.request.requests_per_second or requests_per_second
        self._limiter = Limiter(Rate(1, max(1, int(int(Duration.SECOND) / rate)))) if rate else None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()
        self._keyless.close()

    def get(self, address: str, params: Parameters = None, **options: Any) -> httpx.Response:
        """Return the answer to a GET; `address` is a path below the connection's, or whole."""
        return self.send("GET", address, params=params, **options)

    def get_json(self, address: str, params: Parameters = None, **options: Any) -> Any:
        """Return the JSON of an answer; one that is broken is asked for again."""
        return self.send_json("GET", address, params=params, **options)

    def download(self, address: str, target: IO[bytes], **options: Any) -> None:
        """Write the answer to a GET into `target`, in constant memory; a try that breaks off is written over."""
        self.send("GET", address, target=target, **options)

    def send(self, method: str, address: str, **options: Any) -> httpx.Response:
        """Return the answer to a request; `has_auth=False` leaves the key out."""
        answer: httpx.Response = self._tried(self._send_once, method, address, **options)
        return answer

    def send_json(self, method: str, address: str, **options: Any) -> Any:
        """The same for the JSON of an answer."""
        return self._tried(self._send_json_once, method, address, **options)

    def _tried(
        self, once: Callable[..., Any], method: str, address: str, *, has_auth: bool = True, **options: Any
    ) -> Any:
        url = urljoin(self._base, address)
        self._refuse_stranger(url, has_auth)
        client = self._client if has_auth else self._keyless
        if not has_auth or self._grant is None:
            return self._retried(once, client, method, url, **options)
        if self._access_token:
            try:
                return self._retried(once, client, method, url, **self._with_token(options))
            except SourceAnswerError as error:
                if error.status != 401:
                    raise
        self._access_token = self._fresh_token(self._grant)
        return self._retried(once, client, method, url, **self._with_token(options))

    def _with_token(self, options: Mapping[str, Any]) -> dict[str, Any]:
        headers = {**(options.get("headers") or {}), "Authorization": f"Bearer {self._access_token}"}
        return {**options, "headers": headers}

    def _fresh_token(self, grant: TokenGrant) -> str:
        service = f"The token service of the source '{self._source.slug}'"
        try:
            answer = self._retried(self._ask_token_once, self._keyless, "POST", grant.token_url, grant=grant)
        except SourceAnswerError as error:
            raise FeedbackError(
                f"{service} refuses the Airflow connection '{self._connection.name}' ({error.status}): mend or renew its "
                f"{grant.needed}."
            ) from None
        token = answer.get("access_token") if isinstance(answer, dict) else None
        if not token:
            raise FeedbackError(
                f"{service} gives no access_token: check token_url in the extra of the Airflow connection "
                f"'{self._connection.name}'."
            )
        return str(token)

    def _ask_token_once(self, client: httpx.Client, method: str, url: str, *, grant: TokenGrant) -> Any:
        # A form of its own for each try: what is signed counts once.
        return _json_of(self._send_once(client, method, url, data=grant.form()))

    def _retried(
        self, once: Callable[..., Any], client: httpx.Client, method: str, url: str, **options: Any
    ) -> Any:
        retrying = Retrying(
            retry=retry_if_exception_type(_TryAgainError),
            stop=stop_after_attempt(ATTEMPTS),
            wait=_wait,
            sleep=wait_seconds,
            reraise=True,
        )
        try:
            return retrying(once, client, method, url, **options)
        except _TryAgainError as error:
            raise PlaceUnavailableError(
                f"The source '{self._source.slug}' at {_shown(url)} {error} after {ATTEMPTS} tries: what came before "
                "is kept, and the next run goes on from there. If it stays away, check the network and the address in the "
                f"Airflow connection '{self._connection.name}'."
            ) from None

    def _send_json_once(self, client: httpx.Client, method: str, url: str, **options: Any) -> Any:
        content = _json_of(self._send_once(client, method, url, **options))
        if wrong := self._refusal(content):
            raise _TryAgainError(wrong)
        return content

    def _send_once(
        self,
        client: httpx.Client,
        method: str,
        url: str,
        *,
        target: IO[bytes] | None = None,
        **options: Any,
    ) -> httpx.Response:
        if self._limiter is not None:
            self._limiter.try_acquire(self._source.slug)
        try:
            if target is None:
                answer = client.request(method, url, **options)
            else:
                with client.stream(method, url, **options) as answer:
                    _write(answer, target, self._source.request.largest_download_mb)
        except TooLargeError:
            raise too_large_download(self._source) from None
        except httpx.RequestError as error:
            # Its message may hold the address with its query.
            raise _TryAgainError(f"does not answer ({type(error).__name__})") from None
        if told := _http_date(answer.headers.get("Date", "")):
            self._clock.tell(told)
        if answer.status_code in _AGAIN_LATER:
            later = self._reset_seconds(answer)
            raise _TryAgainError(
                f"answers {answer.status_code}", retry_after_seconds(answer) if later is None else later
            )
        if answer.status_code in (401, 403):
            raise SourceAnswerError(
                f"The source '{self._source.slug}' at {_shown(url)} refuses the Airflow connection "
                f"'{self._connection.name}' ({answer.status_code}): renew its key or token, or its rights.",
                answer.status_code,
            )
        # A redirection is none either: the key does not follow it.
        if not answer.is_success:
            raise SourceAnswerError(
                f"The source '{self._source.slug}' answers {answer.status_code} at {_shown(url)}: check the "
                "connection's address and the declaration's request.",
                answer.status_code,
            )
        return answer

    def _refuse_stranger(self, url: str, has_auth: bool) -> None:
        """A link in an answer must not carry the key to another host, nor lead to one that nobody named."""
        if is_same_place(url, self._base):
            return
        elsewhere = (
            f"The source '{self._source.slug}' points to {_shown(url)}, which is not where its connection "
        )
        if has_auth:
            raise FeedbackError(f"{elsewhere}'{self._connection.name}' leads: the key is not sent there.")
        named = self._connection.extra.get("file_hosts") or ()
        hosts = {str(one).lower() for one in ([named] if isinstance(named, str) else named)}
        if hosts.isdisjoint({_shown_host(url), urlsplit(url).netloc.lower()}):
            raise FeedbackError(
                f"{elsewhere}'{self._connection.name}' leads. If its files lie there, name the host in the connection's "
                f'extra: {{"file_hosts": ["{_shown_host(url)}"]}}.'
            )


class SourceAnswerError(FeedbackError):
    """An answer that another try would not better."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


def _json_of(answer: httpx.Response) -> Any:
    try:
        # Some servers put a byte order mark before it.
        return json.loads(answer.text.removeprefix("\N{BYTE ORDER MARK}"))
    except ValueError:
        raise _TryAgainError("sends broken JSON") from None


def too_large_download(source: Source) -> FeedbackError:
    """Return what to say of a file of an export that is larger, packed or unpacked, than the declaration allows."""
    return FeedbackError(
        f"The source '{source.slug}' gives a file of more than {source.request.largest_download_mb} MB, packed or unpacked, "
        "which is what request.largest_download_mb allows: nothing of it was kept. Look at what it is, and raise that "
        "number if it is right."
    )


def _write(answer: httpx.Response, target: IO[bytes], largest_mb: int) -> None:
    target.seek(0)
    target.truncate()
    if answer.is_success:
        budget = ByteBudget(largest_mb)
        for chunk in answer.iter_bytes(CHUNK_BYTES):
            budget.spend(len(chunk))
            target.write(chunk)


def _wait(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    if isinstance(error, _TryAgainError) and error.after_seconds is not None:
        return min(error.after_seconds, LONGEST_WAIT_SECONDS)
    return _BACK_OFF(state)


def retry_after_seconds(answer: httpx.Response) -> float | None:
    """Return the seconds of a Retry-After, which is a number or a date by the clock of the source."""
    given = answer.headers.get("Retry-After", "").strip()
    if given.isdecimal():
        return float(given)
    moment = _http_date(given)
    if moment is None:
        return None
    now = _http_date(answer.headers.get("Date", "")) or datetime.now(UTC)
    return max(0.0, (moment - now).total_seconds())


def _http_date(given: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(given)
    except ValueError:
        return None
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def is_same_place(one: str, other: str) -> bool:
    """Tell whether two addresses lead to one host: by scheme, host and port, however they are written."""
    return _place(one) == _place(other)


def _place(url: str) -> tuple[str, ...]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc.rpartition("@")[0], _shown_host(url)


def _shown(url: str) -> str:
    """Return an address without user, query and fragment, where secrets stand."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{_shown_host(url)}{parts.path}"


def _shown_host(url: str) -> str:
    """Return the host in small letters, with its port unless it is the scheme's own."""
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError:
        # No number, or too large a one.
        return parts.netloc.rpartition("@")[2]
    return f"{parts.hostname}{'' if port in (None, DEFAULT_PORTS.get(parts.scheme)) else f':{port}'}"
