"""A bundle as one file, which S3 takes whole or not at all: a ZIP without compression.

It is the same, byte for byte, for the same files. Whatever else an archive could hide is therefore seen.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping

#: The earliest that a ZIP can say.
_NEVER = (1980, 1, 1, 0, 0, 0)

_UNIX = 3


class ContainerError(Exception):
    """Why an archive is no bundle, as a sentence."""


def pack(files: Mapping[str, bytes]) -> bytes:
    """The archive of ``files``: path -> content."""
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_STORED) as archive:
        for path in sorted(files):
            entry = zipfile.ZipInfo(path, _NEVER)
            entry.create_system = _UNIX
            entry.external_attr = 0o100644 << 16
            archive.writestr(entry, files[path])
    return whole.getvalue()


def unpack(body: bytes) -> dict[str, bytes]:
    """Its files. Raises ContainerError where it is not what ``pack`` makes."""
    try:
        with zipfile.ZipFile(io.BytesIO(body)) as archive:
            entries = archive.infolist()
            # Nothing is ever larger here than the archive itself.
            if any(one.compress_type != zipfile.ZIP_STORED for one in entries):
                raise ContainerError("The archive is compressed, as runbook never writes one.")
            files = {one.filename: archive.read(one) for one in entries}
    # zipfile raises these for damage at various places, the last two for encrypted and for unknown entries.
    except (zipfile.BadZipFile, EOFError, OSError, ValueError, RuntimeError, NotImplementedError) as error:
        raise ContainerError(f"The archive cannot be read: {str(error).rstrip('.')}.") from error
    if pack(files) != body:
        raise ContainerError("The archive was changed: it is not what runbook writes of these files.")
    return files
