"""Object stores over sockets: S3, Azure and Google, with every request failing in turn, kills and 200 MB."""

from __future__ import annotations

from tests.stores.contract import StoreContract
from tests.stores.faults import StoreFaults
from tests.stores.large import Kills, LargeFiles
from tests.stores.other_options import AzureConnections, GoogleConnections
from tests.stores.refused import StoreRefusals, WrongCredentials


class TestDisk(LargeFiles):
    kind = "disk"


class TestMoto(StoreFaults, LargeFiles, Kills):
    kind = "s3-moto"


class TestSeaweed(StoreContract, StoreRefusals, WrongCredentials, StoreFaults, LargeFiles, Kills):
    kind = "s3-seaweed"


class TestAzure(StoreContract, StoreRefusals, WrongCredentials, StoreFaults, LargeFiles, Kills, AzureConnections):
    kind = "azure"


class TestGoogle(StoreContract, StoreRefusals, WrongCredentials, StoreFaults, LargeFiles, Kills, GoogleConnections):
    kind = "google"
