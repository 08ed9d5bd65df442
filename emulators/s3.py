"""An S3 store: moto's server with one bucket, which asks for the key of one user."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Self

import boto3  # type: ignore[import-untyped]
import httpx
from moto.server import ThreadedMotoServer

REGION = "eu-west-2"
NOBODY_IS_ASKED = "inf"


@dataclass
class S3:
    """A running store; `key` and `secret` are those of a user who may read the bucket and nothing else."""

    bucket: str = "feedback-drop"
    key: str = ""
    secret: str = field(default="", repr=False)
    port: int = 0
    before_read: list[Callable[[], None]] = field(default_factory=list)
    """Each is done once, before an object is read."""
    refusals: list[tuple[str, int, str]] = field(default_factory=list)
    """What requests that list or that read get instead, in turn: "list" or "read", status, code."""
    _server: ThreadedMotoServer | None = None

    def __enter__(self) -> Self:
        self._server = ThreadedMotoServer(ip_address="127.0.0.1", port=self.port, verbose=False)
        # The server would write a line for each request.
        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        self._server.start()
        self.port = self._server.get_host_and_port()[1]
        web_server: Any = self._server._server
        application = web_server.app

        def spoilt(environ: dict[str, Any], start_response: Any) -> Any:
            is_object = environ["PATH_INFO"].startswith(f"/{self.bucket}/")
            is_read = is_object and environ["REQUEST_METHOD"] == "GET"
            way = "read" if is_read else "list" if "list-type" in environ["QUERY_STRING"] else ""
            if self.refusals and self.refusals[0][0] == way:
                _, status, code = self.refusals.pop(0)
                start_response(f"{status} {code}", [("Content-Type", "application/xml")])
                return [f"<Error><Code>{code}</Code><Message>{code}</Message></Error>".encode()]
            if self.before_read and is_read:
                self.before_read.pop(0)()
            return application(environ, start_response)

        web_server.app = spoilt
        # What moto keeps outlives a server within a process.
        self._ask_for_keys(NOBODY_IS_ASKED)
        httpx.post(f"{self.url}/moto-api/reset")
        self._client("s3").create_bucket(
            Bucket=self.bucket, CreateBucketConfiguration={"LocationConstraint": REGION}
        )
        self._add_reader()
        return self

    def __exit__(self, *_: object) -> None:
        assert self._server is not None
        self._ask_for_keys(NOBODY_IS_ASKED)
        self._server.stop()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def put(self, name: str, content: bytes) -> None:
        self._unasked("put_object", Key=name, Body=content)

    def remove(self, name: str) -> None:
        self._unasked("delete_object", Key=name)

    def lend_to_visitor(self, external_id: str) -> tuple[str, str, str]:
        """Make a role that may read the bucket, and a user who may do nothing but take it on; return ARN and keys."""
        self._ask_for_keys(NOBODY_IS_ASKED)
        users = self._client("iam")
        trusted = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
        condition = {"Condition": {"StringEquals": {"sts:ExternalId": external_id}}}
        trust = json.dumps({"Version": "2012-10-17", "Statement": [{**trusted, **condition}]})
        role = users.create_role(RoleName="lender", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
        users.put_role_policy(RoleName="lender", PolicyName="reads", PolicyDocument=self._reading())
        users.create_user(UserName="visitor")
        statement = {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": role}
        document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        users.put_user_policy(UserName="visitor", PolicyName="assumes", PolicyDocument=document)
        made = users.create_access_key(UserName="visitor")["AccessKey"]
        self._ask_for_keys("0")
        return role, made["AccessKeyId"], made["SecretAccessKey"]

    def _reading(self) -> str:
        resources = [f"arn:aws:s3:::{self.bucket}", f"arn:aws:s3:::{self.bucket}/*"]
        statement = {"Effect": "Allow", "Action": ["s3:Get*", "s3:List*", "s3:Head*"], "Resource": resources}
        return json.dumps({"Version": "2012-10-17", "Statement": [statement]})

    def _unasked(self, operation: str, **given: Any) -> None:
        self._ask_for_keys(NOBODY_IS_ASKED)
        getattr(self._client("s3"), operation)(Bucket=self.bucket, **given)
        self._ask_for_keys("0")

    def _add_reader(self) -> None:
        users = self._client("iam")
        users.create_user(UserName="reader")
        users.put_user_policy(UserName="reader", PolicyName="reads", PolicyDocument=self._reading())
        made = users.create_access_key(UserName="reader")["AccessKey"]
        self.key, self.secret = made["AccessKeyId"], made["SecretAccessKey"]
        self._ask_for_keys("0")

    def _client(self, service: str) -> Any:
        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id="owner",
            aws_secret_access_key="owner",  # noqa: S106 - of an emulator
        )

    def _ask_for_keys(self, after_requests: str) -> None:
        httpx.post(f"{self.url}/moto-api/reset-auth", content=after_requests)
