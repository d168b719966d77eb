"""Files of the API: bytes with their media type, a safe name and an ETag that is their SHA-256."""

from __future__ import annotations

import hashlib
from typing import Any

from django.http import HttpResponse

MEDIA_TYPES = {
    "pdf": "application/pdf",
    "csv": "text/csv; charset=utf-8",
    "xml": "application/xml",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}

FILE_ANSWER: dict[str, Any] = {
    "responses": {
        200: {
            "description": "The file",
            "content": {
                kind.split(";")[0]: {"schema": {"type": "string", "format": "binary"}} for kind in MEDIA_TYPES.values()
            },
        }
    }
}
"""What the OpenAPI document says of a route that answers with a file."""


def file_answer(content: bytes, form: str, name: str) -> HttpResponse:
    """``content`` as a download called ``name``."""
    safe = "".join(each if (each.isalnum() and each.isascii()) or each in "-_." else "_" for each in name)
    return HttpResponse(
        content,
        content_type=MEDIA_TYPES[form],
        headers={
            "Content-Disposition": f'attachment; filename="{safe}.{form}"',
            "ETag": f'"{hashlib.sha256(content).hexdigest()}"',
        },
    )
