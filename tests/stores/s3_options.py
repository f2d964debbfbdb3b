"""What buckets on S3 demand of each request, and the ways in which people connect."""

from __future__ import annotations

from typing import Any

from airflow_provider_emailverify.lists.reader import read_column
from airflow_provider_emailverify.steps.ledger import Ledger
from airflow_provider_emailverify.storage.listing import list_files
from tests.stores.contract import NEW, OLD, ROW, OnStore, land, put, refused
from tests.stores.proxy import Request
from tests.stores.server import ObjectStore

#: Of each object that is made, whichever request makes it.
DEMANDED = {
    "ServerSideEncryption": "aws:kms",
    "SSEKMSKeyId": "alias/lists",
    "StorageClass": "STANDARD_IA",
    "ACL": "bucket-owner-full-control",
}
#: A file of three parts: s3fs sends less than two whole ones in one request.
LARGE = ROW % b"new" * 550_000
HEADERS = {
    "x-amz-server-side-encryption": "aws:kms",
    "x-amz-server-side-encryption-aws-kms-key-id": "alias/lists",
    "x-amz-storage-class": "STANDARD_IA",
    "x-amz-acl": "bucket-owner-full-control",
}


def everything(store: ObjectStore, folder: str, **extra: Any) -> list[Request]:
    """Do all that the package does with a bucket, by a connection of its own; return the requests."""
    assert store.proxy
    place = store.uri(folder, extra=extra)
    store.proxy.requests.clear()
    land(f"{place}set/", OLD)
    land(f"{place}set/", NEW)
    put(f"{place}large.csv", b"email,note\n" + LARGE)
    ledger = Ledger(f"{place}ledger/", "task")
    ledger.check()
    ledger.claim("00001", {"n": 1})
    ledger.set("00001", {"n": 2})
    assert len(list_files(place, lambda _: True)) >= 4
    assert sum(len(block) for block in read_column(f"{place}large.csv", "email")) == 550_000
    return store.proxy.requests.copy()


def makes_object(request: Request) -> bool:
    """Whether a request makes an object, or begins to; a part belongs to what was begun."""
    if request.method == "PUT":
        return "partNumber=" not in request.target
    return request.method == "POST" and "uploads" in request.target


class S3Options(OnStore):
    """Options of the Airflow connection arrive in the requests."""

    def test_encryption_storage_class_and_acl_come_with_every_object(self, store: ObjectStore, folder: str) -> None:
        requests = everything(store, folder, service_config={"s3": {"s3_additional_kwargs": DEMANDED}})

        making = [request for request in requests if makes_object(request)]
        assert any("uploads" in request.target for request in making)
        assert any("x-amz-copy-source" in request.headers for request in making)
        for request in making:
            assert {name: request.headers.get(name) for name in HEADERS} == HEADERS, request.target
        assert {store.storage_class(f"{folder}{name}") for name in store.read(folder)} == {("STANDARD_IA", "aws:kms")}

    def test_requester_pays_comes_with_every_request(self, store: ObjectStore, folder: str) -> None:
        requests = everything(store, folder, service_config={"s3": {"requester_pays": True}})

        without = {(r.method, r.target) for r in requests if r.headers.get("x-amz-request-payer") != "requester"}
        assert without == set()

    def test_checksums_are_off_where_the_connection_says_so(self, store: ObjectStore, folder: str) -> None:
        """Some stores that speak S3's language refuse the checksums that botocore sends since 2025."""
        off = {"request_checksum_calculation": "when_required", "response_checksum_validation": "when_required"}
        usual = everything(store, f"{folder}on/")
        requests = everything(store, f"{folder}off/", config_kwargs=off)

        def is_summed(request: Request) -> bool:
            return any("checksum" in name or name == "x-amz-trailer" for name in request.headers)

        assert any(map(is_summed, usual))
        assert not any(map(is_summed, requests))

    def test_a_session_token_is_sent(self, store: ObjectStore, folder: str) -> None:
        requests = everything(store, folder, aws_session_token="token/of+a=session")

        assert {request.headers["x-amz-security-token"] for request in requests} == {"token/of+a=session"}

    def test_a_role_is_assumed(self, store: ObjectStore, folder: str) -> None:
        assert store.proxy
        role = "arn:aws:iam::123456789012:role/lists"
        requests = everything(store, folder, role_arn=role, service_config={"sts": {"endpoint_url": store.proxy.url}})

        (asked, *others) = requests
        assert asked.target == "/"  # of the token service
        assert all("x-amz-security-token" in request.headers for request in others)

    def test_a_role_that_may_not_be_assumed_is_told(self, store: ObjectStore, folder: str) -> None:
        assert store.proxy
        extra = {
            "role_arn": "arn:aws:iam::123456789012:role/other",
            "service_config": {"sts": {"endpoint_url": store.proxy.url}},
        }
        uri = store.uri(f"{folder}x.csv", extra=extra)
        store.proxy.fault = lambda _: store.refusal

        assert "Check the credentials of the Airflow connection" in refused(lambda: put(uri, b""), store)

    def test_the_bucket_stands_in_the_path(self, store: ObjectStore, folder: str) -> None:
        by_path = everything(store, folder, config_kwargs={"s3": {"addressing_style": "path"}})

        assert all(request.target.startswith(f"/{store.bucket}") for request in by_path)
