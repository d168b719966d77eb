"""A program that calls the API, in this process, through all of Django's middleware."""

from __future__ import annotations

import json
from typing import Any

from django.test import Client
from msgspec import Struct


class Answer(Struct, frozen=True, kw_only=True):
    """What came back."""

    status: int
    headers: Any
    content: bytes
    json: Any = None

    @property
    def code(self) -> str:
        """Of a problem."""
        return str(self.json["code"])


class Program:
    """A program with a key."""

    def __init__(self, token: str) -> None:
        self._client = Client(headers={"Authorization": f"Bearer {token}"} if token else {})

    def get(self, path: str, **query: str | int) -> Answer:
        return _answer(self._client.get(f"/api/v1{path}", query))

    def post(self, path: str, body: object, *, key: str = "") -> Answer:
        headers = {"Idempotency-Key": key} if key else {}
        return _answer(self._client.post(f"/api/v1{path}", body, content_type="application/json", headers=headers))

    def send(self, method: str, path: str, body: object = None, *, key: str = "") -> Answer:
        """Any method, with a body where there is one."""
        headers = {"Idempotency-Key": key} if key else {}
        content = "" if body is None else json.dumps(body)
        call = self._client.generic
        return _answer(call(method, f"/api/v1{path}", content, "application/json", headers=headers))

    def walk(self, path: str, **query: str | int) -> list[Any]:
        """Every item of a list, page by page; from a cursor on, where ``cursor`` is given."""
        items, cursor = [], str(query.pop("cursor", ""))
        while True:
            page = self.get(path, **query, cursor=cursor).json
            items += page["items"]
            cursor = page["next_cursor"]
            if not cursor:
                return items


def _answer(response: Any) -> Answer:
    told = response.headers.get("Content-Type", "").split(";")[0].endswith("json")
    return Answer(
        status=response.status_code,
        headers=response.headers,
        content=b"".join(response.streaming_content) if response.streaming else response.content,
        json=response.json() if told else None,
    )
