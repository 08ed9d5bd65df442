"""Keys for an object store that a role lends, as Airflow's connection of type aws names it (`role_arn`)."""

from __future__ import annotations

from typing import Any

from patient_feedback.errors import FeedbackError
from patient_feedback.sources.extraction import SourceConnection

SESSION_NAME = "patient-feedback"
METHOD = "assume_role"


def lent_keys(connection: SourceConnection) -> dict[str, str]:
    """Return the keys that the connection's role lends for an hour, or as long as `assume_role_kwargs` say.

    Who asks for them is the connection's own key, else its profile, else what the machine is known by. Raises
    FeedbackError where the role is refused; botocore's own errors where its service is away or nobody asks.
    """
    from botocore.exceptions import ClientError  # type: ignore[import-untyped]
    from botocore.session import Session  # type: ignore[import-untyped]

    extra = connection.extra
    method = extra.get("assume_role_method", METHOD)
    if method != METHOD:
        raise FeedbackError(
            f"The Airflow connection '{connection.name}' names assume_role_method '{method}', which is not read here: "
            f"'{METHOD}' is, and so are keys and what the machine is known by."
        )
    client = Session(profile=extra.get("profile_name")).create_client(
        "sts",
        region_name=extra.get("region_name"),
        aws_access_key_id=connection.login or None,
        aws_secret_access_key=connection.password or None,
        aws_session_token=extra.get("aws_session_token"),
        endpoint_url=_service_setting(extra, "endpoint_url"),
    )
    asked = {"RoleSessionName": SESSION_NAME, **(extra.get("assume_role_kwargs") or {})}
    try:
        lent = client.assume_role(RoleArn=extra["role_arn"], **asked)["Credentials"]
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "no reason")
        raise FeedbackError(
            f"The role of the Airflow connection '{connection.name}' may not be taken on ({code}): check role_arn and "
            "assume_role_kwargs (ExternalId) in its extra, and whom the role trusts."
        ) from None
    return {"key": lent["AccessKeyId"], "secret": lent["SecretAccessKey"], "token": lent["SessionToken"]}


def _service_setting(extra: Any, name: str) -> str | None:
    """Return what Airflow's `service_config` says of the service that lends keys."""
    settings = (extra.get("service_config") or {}).get("sts") or {}
    return settings.get(name)
