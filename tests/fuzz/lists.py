"""Lists of addresses in every format: read and cleaned, or refused without a word of their content."""

from __future__ import annotations

import io
import tempfile
from pathlib import Path
from random import Random

from airflow_provider_emailverify.exceptions import EmailVerifyError
from airflow_provider_emailverify.limits import read_limit
from airflow_provider_emailverify.lists.addresses import is_address
from airflow_provider_emailverify.lists.cleaning import AddressList
from airflow_provider_emailverify.lists.reader import read_column
from tests.fuzz import inputs

_FOLDER = tempfile.TemporaryDirectory(prefix="emailverify-fuzz-")
_COLUMNS = ("email", "email", "email", "email", "email", "Email", "E-Mail", "id", "#", "", "e.mail")


def list_of_csv(chance: Random) -> None:
    """Read CSV."""
    header = chance.choice(
        (["email", "id"], ["id", "Email", "note"], ["email"], [inputs.text(chance, 3) for _ in "abc"])
    )
    content = inputs.table(chance, header, lambda: [inputs.address(chance), inputs.text(chance), str(chance.random())])
    _read(chance, "csv", inputs.encoded(chance, content))


def list_of_json_lines(chance: Random) -> None:
    """Read JSON lines."""
    rows = inputs.some(chance, lambda: {"email": inputs.address(chance), "x": inputs.document(chance)}, 5)
    odd = inputs.some(chance, lambda: inputs.document(chance), 1) if chance.random() < 0.2 else []
    lines = [inputs.as_json(chance, row) for row in [*rows, *odd]]
    _read(chance, "jsonl", inputs.encoded(chance, chance.choice((*"\n\n\n\n\r", "\r\n", ",\n", "")).join(lines)))


def list_of_lines(chance: Random) -> None:
    """Read one address a line."""
    lines = inputs.some(chance, lambda: inputs.address(chance), 30)
    _read(chance, "lines", inputs.encoded(chance, chance.choice(("\n", "\r\n", "\r")).join(lines)))


def list_of_parquet(chance: Random) -> None:
    """Read Parquet."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    emails = inputs.some(chance, lambda: chance.choice((None, inputs.address(chance))))
    emails = [email and email.encode(errors="replace").decode() for email in emails]
    kinds = (pa.string(), pa.large_string(), pa.binary(), pa.dictionary(pa.int8(), pa.string()))
    others = chance.choice(([1] * len(emails), [{"email": "x"}] * len(emails), [["x"]] * len(emails)))
    names = [name.encode(errors="replace").decode() for name in (chance.choice(_COLUMNS), inputs.text(chance, 3))]
    columns = [pa.array(emails, pa.string()).cast(chance.choice(kinds)), pa.array(others)]
    out = io.BytesIO()
    pq.write_table(pa.table(columns, names=names), out, compression=chance.choice(("none", "snappy", "zstd")))
    _read(chance, "parquet", out.getvalue())


def list_of_anything(chance: Random) -> None:
    """Read bytes of no format as each format."""
    content = chance.choice((chance.randbytes(chance.randrange(300)), inputs.encoded(chance, inputs.text(chance, 60))))
    _read(chance, chance.choice(("csv", "jsonl", "lines", "parquet")), content)


def _read(chance: Random, kind: str, content: bytes) -> None:
    inputs.cut_into_chunks(chance)
    content = inputs.packed(chance, inputs.damaged(chance, content))
    path = Path(_FOLDER.name) / "list"
    path.write_bytes(content)
    encoding = "utf-8" if chance.random() < 0.9 else chance.choice(("utf-16", "latin-1", "cp1252", "hex", "utf-7"))
    try:
        with AddressList(read_column(f"file://{path}", chance.choice(_COLUMNS), kind, encoding)) as emails:
            emails.check_dropped(read_limit("max_dropped", chance.choice((None, "50%", 3))))
            addresses = [email for batch in emails.batches(chance.randrange(1, 9)) for email in batch]
            assert all(map(is_address, addresses))
            assert len(addresses) == emails.unique == len(set(addresses))
            assert sum(emails.dropped_by_reason.values()) == emails.dropped <= emails.read
            assert emails.unique <= emails.found
    except EmailVerifyError as error:
        inputs.check(error)
        raise


TARGETS = [list_of_csv, list_of_json_lines, list_of_lines, list_of_parquet, list_of_anything]
