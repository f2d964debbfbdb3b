"""The contract of every object store, on this machine's disk and on S3 by moto; ``tests/stores`` has the others."""

from __future__ import annotations

from tests.stores.contract import StoreContract
from tests.stores.refused import StoreRefusals
from tests.stores.s3_options import S3Options


class TestDisk(StoreContract):
    kind = "disk"


class TestMoto(StoreContract, StoreRefusals, S3Options):
    kind = "s3-moto"
