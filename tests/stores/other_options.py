"""The ways in which people connect to Azure's and Google's storage."""

from __future__ import annotations

from tests.stores.azure import ACCOUNT, signature
from tests.stores.contract import NEW, OnStore, land, refused
from tests.stores.server import ObjectStore


class AzureConnections(OnStore):
    """Fields of the Airflow connection reach the store."""

    def test_a_shared_access_signature_is_taken_and_not_shown(self, store: ObjectStore, folder: str) -> None:
        assert store.proxy
        signed = signature()
        place = store.uri(
            folder,
            extra={"connection_string": f"BlobEndpoint={store.proxy.url}/{ACCOUNT};SharedAccessSignature={signed}"},
        )
        land(place, NEW)
        land(place, NEW)
        assert {name: store.read(folder)[name] for name in NEW} == NEW

        store.proxy.fault = lambda _: store.refusal
        assert signed.partition("sig=")[2] not in refused(lambda: land(place, NEW), store)


class GoogleConnections(OnStore):
    """Fields of the Airflow connection reach the store."""

    def test_the_project_of_the_connection_pays(self, store: ObjectStore, folder: str) -> None:
        assert store.proxy
        place = store.uri(folder, extra={"gcs.requester-pays": True})
        store.proxy.requests.clear()

        land(place, NEW)
        land(place, NEW)

        without = [request.target for request in store.proxy.requests if "userProject=p" not in request.target]
        assert without == []
        assert {name: store.read(folder)[name] for name in NEW} == NEW
