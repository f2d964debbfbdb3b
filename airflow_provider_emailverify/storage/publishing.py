"""
Make spooled files visible under their URIs: one file in one step, or several, all or none.

A destination shows the old file or the whole new one, never a part, whatever fails and whenever.

No storage replaces several files in one step, so that is done in four. The marker is withdrawn; each file is kept
aside and then replaced; the marker is published; what was kept aside is dropped. An error puts everything back as it
was. A process that is killed can put nothing back, but it leaves no marker. Who needs all files looks for the marker.

A folder with a marker holds exactly the files that the marker names: what an earlier landing made there and this one
does not is removed. A file counts as made by an earlier landing if a marker or a plan names it, with this content. A
plan is written before anything is changed, so that the next landing knows what one that was killed may have made.

Two tasks may publish the same files at the same time. No storage compares and replaces in one step for us, so each of
them looks: a landing fails if one of its files is not its own any more, it takes back only what is its own, and a
landing that fails removes a marker that does not tell the truth. So a marker is right once both have ended. While both
are at work it may be wrong for a moment, which its sizes and digests tell.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from airflow_provider_emailverify.storage.destination import Destination
from airflow_provider_emailverify.storage.spool import Spool, spool_for
from airflow_provider_emailverify.storage.together import MARKER, Landing, name_of, store_of


def publish(spool: Spool, destination: Destination) -> str:
    """
    Make a spooled file visible at its destination, whole, in place of what was there. Return the URI.

    :param spool: the file.
    :param destination: one file, no folder.
    :raises StorageError: the destination refused it, and shows what it showed; or took it and could not say so.
    """
    store_of(destination).publish(spool, destination)
    return destination.uri


def publish_together(
    files: Sequence[tuple[Spool, Destination]],
    folder: Destination | None = None,
    summary: Mapping[str, Any] | None = None,
) -> list[str]:
    """
    Make spooled files visible at their destinations, all or none. Return their URIs.

    :param files: the files, in the order in which they appear; all in one storage.
    :param folder: the folder of all of them, if they alone shall be in it. It gets a marker, and files that an earlier
        landing made and this one does not are removed; what others put there stays.
    :param summary: what the marker holds beside ``published``: name, size and digest of each file.
    :raises StorageError: the destination refused one; what was there is there again.
    """
    if folder is None and len(files) == 1:
        return [publish(*files[0])]
    landing = Landing(files, folder)
    if folder is None:
        landing.run(None)
    else:
        published = [
            {"name": name_of(destination), "bytes": spool.size, "sha256": spool.sha256} for spool, destination in files
        ]
        with spool_for(folder, MARKER, "application/json") as marker:
            marker.write(json.dumps({**(summary or {}), "published": published}, indent=1).encode())
            landing.run(marker)
    return [destination.uri for _, destination in files]
