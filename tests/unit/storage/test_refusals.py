"""What a storage answers is told in one line, without what is secret in it, and with what to do."""

from __future__ import annotations

import pytest

from airflow_provider_emailverify.storage.refusals import said

S3 = "s3://my_aws@lists/x.csv"
CREDENTIALS = "Check the credentials of the Airflow connection 'my_aws', and that they may list, read, write and delete"
BUCKET = "Check the path, and that 'lists' exists, which is not created here."
LATER = (
    "Check the path, and the endpoint and credentials of the Airflow connection 'my_aws'; if they are right, try again"
)


class AnswerError(Exception):
    """An error of some storage's library."""

    def __init__(self, text: str = "", **attributes: object) -> None:
        super().__init__(text)
        self.__dict__.update(attributes)


class ClientAuthenticationError(Exception):
    """Azure's."""


class NoCredentialsError(Exception):
    """botocore's."""


class RefreshError(Exception):
    """google-auth's."""


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        (FileNotFoundError("lists/x.csv"), BUCKET),
        (AnswerError("The specified container does not exist.", status_code=404), BUCKET),
        (PermissionError("Access Denied"), CREDENTIALS),
        (AnswerError("no", status_code=403), CREDENTIALS),
        (AnswerError("no", code=401), CREDENTIALS),
        (AnswerError("no", status=403), CREDENTIALS),
        (AnswerError("no", response={"ResponseMetadata": {"HTTPStatusCode": 403}}), CREDENTIALS),
        (OSError("Forbidden: https://storage.example/b/lists"), CREDENTIALS),
        (ClientAuthenticationError("no"), CREDENTIALS),
        (NoCredentialsError("no"), CREDENTIALS),
        (RefreshError("no"), CREDENTIALS),
        (ConnectionResetError("reset"), LATER),
        (AnswerError("busy", status_code=503), LATER),
        (AnswerError("busy", code="SlowDown", response=object()), LATER),
    ],
    ids=repr,
)
def test_the_advice_follows_from_what_was_answered(error: Exception, advice: str) -> None:
    assert advice in said(error, S3)


def test_an_uri_without_a_connection_is_the_worker_s() -> None:
    text = said(PermissionError("no"), "s3://lists/x.csv")

    assert "credentials of the worker, for the URI names no connection" in text


@pytest.mark.parametrize("uri", ["/data/x.csv", "file:///data/x.csv", "no uri"])
def test_a_file_of_this_machine_has_permissions_and_no_connection(uri: str) -> None:
    assert said(PermissionError(13, "Permission denied"), uri) == (
        "PermissionError: [Errno 13] Permission denied. Check the path and its permissions."
    )


def test_the_answer_that_azure_repeats_is_left_out() -> None:
    text = (
        "Server failed to authenticate the request.\nRequestId:8d1\nTime:2026-11-27T06:00:00Z\n"
        "ErrorCode:AuthenticationFailed\nContent: <?xml version='1.0'?>\n<Error><AuthenticationErrorDetail>c2ln"
    )

    assert said(AnswerError(text, status_code=403), S3).startswith(
        "AnswerError: Server failed to authenticate the request. Check the credentials"
    )


def test_a_signature_in_an_address_is_left_out() -> None:
    text = said(OSError("403, url='https://lists.example/x.csv?sv=1&sig=c2ln' (x)"), S3)

    assert "url='https://lists.example/x.csv?…' (x)" in text
    assert "c2ln" not in text


def test_an_error_without_a_word_is_told_by_its_name() -> None:
    assert said(TimeoutError(), S3).startswith("TimeoutError. Check")


def test_a_page_in_place_of_an_answer_is_cut() -> None:
    assert len(said(OSError("<html>" * 10_000), S3)) < 800
