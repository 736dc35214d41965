"""What a machine's user data says, in whichever of its forms it is written."""

from __future__ import annotations

import base64
import binascii
import zlib

#: What a gzipped script may unpack to: EC2 takes 16 KiB, so more is a bomb.
_MOST_UNPACKED = 1 << 20


def script(text: str) -> str:
    """The script in ``text``: plain, in base64, or in base64 and gzip, the forms that EC2 and cloud-init take."""
    try:
        raw = base64.b64decode("".join(text.split()), validate=True)
        if raw.startswith(b"\x1f\x8b"):
            raw = zlib.decompressobj(wbits=31).decompress(raw, _MOST_UNPACKED)
        return raw.decode()
    except (binascii.Error, ValueError, zlib.error):
        return text
