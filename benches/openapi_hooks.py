"""Pictures for schemathesis, which holds `geneverse serve` against its own OpenAPI document.

    geneverse serve --model LLAVA --db genes.db --port 8123
    SCHEMATHESIS_HOOKS=benches/openapi_hooks.py schemathesis run http://127.0.0.1:8123/openapi.json --max-examples 300 --seed 1

No schema says which letters are a PNG: the document calls them of the format `picture-url`, and here is how one is made. Nor does
one count over several arrays: a request has at most eight pictures in all its messages, and those with more are left out.
"""
import base64
import struct
import zlib

import schemathesis
from hypothesis import strategies


def png(width: int, height: int, colour: tuple[int, int, int]) -> str:
    """A picture of one colour as a data: URL."""
    part = lambda kind, data: struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    rows = (b"\0" + bytes(colour) * width) * height
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    whole = b"\x89PNG\r\n\x1a\n" + part(b"IHDR", header) + part(b"IDAT", zlib.compress(rows)) + part(b"IEND", b"")
    return "data:image/png;base64," + base64.b64encode(whole).decode()


side, shade = strategies.integers(1, 64), strategies.integers(0, 255)
schemathesis.openapi.format("picture-url", strategies.builds(png, side, side, strategies.tuples(shade, shade, shade)))


@schemathesis.hook
def filter_body(context, body) -> bool:
    messages = body.get("messages") if isinstance(body, dict) else None
    parts = [
        part
        for message in (messages if isinstance(messages, list) else [])
        if isinstance(message, dict) and isinstance(message.get("content"), list)
        for part in message["content"]
    ]
    return sum(isinstance(part, dict) and "image_url" in part for part in parts) <= 8
