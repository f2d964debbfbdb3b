"""
Measure what costs nothing: known answers out of a long history, and looks at domains, each beside a peer in one run.

A list is parted by Parquet files of results; the peer matches the addresses of the same files with pyarrow. Domains are
looked up at a name server on loopback that answers after 20 ms; the peer asks it with dnspython, one after the other.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

_ROWS_AT_A_TIME = 100_000
_SAMPLE = 200


def address(number: int) -> str:
    """Return an address."""
    return f"user{number}@example{number % 1000}.com"


def resident() -> int:
    """Return the memory of this process in KiB, and begin to watch for its peak."""
    Path("/proc/self/clear_refs").write_text("5")
    return _status("VmRSS")


def peak() -> int:
    """Return the most memory that this process had since then, in KiB."""
    return _status("VmHWM")


def _status(name: str) -> int:
    text = Path("/proc/self/status").read_text()
    return int(text.partition(f"{name}:")[2].split()[0])


def write_history(folder: Path, rows: int, files: int) -> None:
    """Write results as the download operator does, in Parquet."""
    from airflow_provider_emailverify.results.schema import Finding, Origin, Reason, Verdict
    from airflow_provider_emailverify.results.tally import Tally
    from airflow_provider_emailverify.results.writers import open_writer, write_rows
    from airflow_provider_emailverify.storage.spool import Spool

    for file in range(files):
        origin = Origin(vendor="proofy", batch_id=f"b{file}", verified_at="2026-11-20T09:30:00Z")
        findings = [
            Finding(verdict=verdict, reason=Reason.OTHER, role=role, catch_all=role, origin=origin)
            for verdict in Verdict
            for role in (True, False)
        ]
        spool = Spool(folder, "history")
        writer = open_writer("parquet", spool, origin)
        numbers = range(file * rows // files, (file + 1) * rows // files)
        write_rows(
            ((address(number), findings[number % 8]) for number in numbers), [(writer, frozenset(Verdict))], Tally()
        )
        (folder / f"{file:03}.parquet").write_bytes(spool.rewound().read())
        spool.close()


def ours(folder: Path, emails: int, step: int) -> dict[str, Any]:
    """Part a list by the history."""
    from airflow_provider_emailverify.lists.address_file import AddressFile
    from airflow_provider_emailverify.lists.history import MaxAge
    from airflow_provider_emailverify.lists.screening import Screening, screen

    known = [f"file://{path}" for path in sorted(folder.glob("*.parquet"))]
    with AddressFile() as listed, AddressFile() as rest:
        for start in range(0, emails, _ROWS_AT_A_TIME):
            listed.append([address(number * step) for number in range(start, min(start + _ROWS_AT_A_TIME, emails))])
        listed.finish()
        how = Screening(known=known, max_age=MaxAge.parse(None))
        before = resident()
        started = time.process_time()
        found = screen(listed, rest, lambda rows: None, how, time.time())
        return {
            "seconds": time.process_time() - started,
            "kib": peak() - before,
            "known": found.known,
        }


def peer(folder: Path, emails: int, step: int) -> dict[str, Any]:
    """Match addresses alone, with pyarrow."""
    wanted = pa.array([address(number * step) for number in range(emails)])
    before = resident()
    pa.set_cpu_count(1)
    started, found = time.process_time(), 0
    for path in sorted(folder.glob("*.parquet")):
        for batch in pq.ParquetFile(path).iter_batches(_ROWS_AT_A_TIME, columns=["email", "verdict"]):
            found += pc.sum(pc.is_in(batch.column("email").cast(pa.string()), wanted)).as_py() or 0
    return {
        "seconds": time.process_time() - started,
        "kib": peak() - before,
        "known": found,
    }


def alone(run: Callable[..., Any], *arguments: Any) -> Any:
    """Run something in a process of its own, so that its memory is its own."""
    context = multiprocessing.get_context("spawn")
    with context.Pool(1) as pool:
        return pool.apply(run, arguments)


def serve(ready: Any) -> None:
    """Be a name server that answers after 20 ms, for as long as the process lives."""
    import asyncio

    from dnslib import MX, QTYPE, RR, DNSRecord

    class Answer(asyncio.DatagramProtocol):
        def connection_made(self, transport: Any) -> None:
            self.transport = transport

        def datagram_received(self, data: bytes, sender: Any) -> None:
            request = DNSRecord.parse(data)
            reply = request.reply()
            reply.add_answer(RR(request.q.qname, QTYPE.MX, rdata=MX("mail.example", 10)))
            asyncio.get_running_loop().call_later(0.02, self.transport.sendto, reply.pack(), sender)

    async def main() -> None:
        transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(Answer, ("127.0.0.1", 0))
        ready.put(transport.get_extra_info("sockname")[1])
        await asyncio.sleep(3600)

    asyncio.run(main())


def measure_domains(emails: int, domains: int) -> None:
    """Look domains up, and print how long it takes."""
    import dns.resolver

    from airflow_provider_emailverify.lists.prescreen import Prescreen

    context = multiprocessing.get_context("spawn")
    ready = context.Queue()
    server = context.Process(target=serve, args=(ready,), daemon=True)
    server.start()
    port = ready.get()
    try:
        started = time.monotonic()
        Prescreen("dns", f"127.0.0.1:{port}").look_up(
            [f"user{number}@domain{number % domains}.example" for number in range(start, start + 10_000)]
            for start in range(0, emails, 10_000)
        )
        seconds = time.monotonic() - started
        resolver = dns.resolver.Resolver(configure=False)
        resolver.nameservers, resolver.port = ["127.0.0.1"], port
        started = time.monotonic()
        for number in range(_SAMPLE):
            resolver.resolve(f"domain{number}.example", "MX")
        one_by_one = (time.monotonic() - started) / _SAMPLE * domains
    finally:
        server.terminate()
    print(
        f"{emails:,} addresses on {domains:,} domains: {seconds:.1f} s; one by one {one_by_one:,.0f} s (from {_SAMPLE})"
    )


def main() -> None:
    """Measure, and print tables."""
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument("--emails", type=int, default=1_000_000)
    parser.add_argument("--history", type=int, default=20_000_000)
    parser.add_argument("--files", type=int, default=40)
    parser.add_argument("--domains", type=int, default=100_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_history(folder, options.history, options.files)
        step = options.history * 10 // 9 // options.emails  # nine of ten are known
        print(f"{options.emails:,} addresses, {options.history:,} rows of history in {options.files} Parquet files\n")
        print(f"{'':<28}  processor  rows/s     memory  known")
        for title, run in (("screening", ours), ("pyarrow, addresses only", peer)):
            found = alone(run, folder, options.emails, step)
            rate = options.history / found["seconds"]
            figures = f"{found['seconds']:>7.1f} s  {rate / 1e6:>4.2f} M  {found['kib'] / 1024:>6.0f} MiB"
            print(f"{title:<28}  {figures}  {found['known']:,}")
        print()
    measure_domains(options.emails, options.domains)


if __name__ == "__main__":
    main()
