"""Make catalogue.tsv from JSON arrays of image records: ``python make_catalogue.py RECORDS.json...``.

A record has ``image``, ``tag``, ``platform``, ``digest``, ``compressed_bytes``, ``layers`` (``[{digest, bytes}]``,
base first), ``uncompressed_bytes``, ``libc``, ``os``, ``java_major``, ``kind``, ``as_of``, ``source``; optional
``image_id``, ``precision``, ``note``, ``uncompressed_note``. Every figure was read from a published document, the
one that ``source`` names (docker-library/repo-info and copies of it for tags it no longer has,
zulu-openjdk/zulu-openjdk, ubuntu-rocks/chiselled-jre, a Docker Hub tag page); null means that none was found.
MB in the notes are 10**6 bytes. Not imported by imgopt: it documents how the data file came about.

The catalogue has one record a line, ``image:tag platform <TAB> record``, so that one record is found by a text
search and parsed alone; parsing all 400 kB would cost every start several milliseconds. Where two records are of
one image, the newer stands first and is the one that a search finds.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

# The record's place in a line says these.
KEY = ("image", "tag", "platform")


def lines(records: list[dict[str, Any]]) -> list[str]:
    found: list[tuple[str, str]] = []
    for record in sorted(records, key=lambda record: record.get("as_of") or "", reverse=True):
        key = "{}:{} {}".format(*(record[name] for name in KEY))
        layers = record.get("layers")
        total = record["compressed_bytes"]
        if layers is not None and sum(layer["bytes"] for layer in layers) != total:
            raise SystemExit(f"{key}: the layers do not add up to {total} bytes")
        rest = {name: value for name, value in record.items() if name not in KEY and value is not None}
        if layers is not None:
            rest["layers"] = [[layer["digest"], layer["bytes"]] for layer in layers]
        found.append((key, json.dumps(rest, separators=(",", ":"), sort_keys=True, ensure_ascii=True)))
    # A stable sort: the newest of a key stays first.
    return [f"{key}\t{rest}" for key, rest in sorted(found, key=lambda pair: pair[0])]


def main() -> None:
    records = [
        record for name in sys.argv[1:] for record in json.loads(Path(name).read_text(encoding="utf-8"))
    ]
    newest = max(record["as_of"] for record in records if record["as_of"])
    text = "\n".join([f"# base image sizes\t{newest}", *lines(records), ""])
    Path(__file__).with_name("catalogue.tsv").write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
