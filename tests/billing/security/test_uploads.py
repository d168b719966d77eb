"""What is uploaded to the catalog: too large, no text, no TOML, or made to break; nothing of it changes a row."""

from __future__ import annotations

import gzip
import io
import zipfile

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import HttpResponse
from django.test import Client

from cardhour_billing.models import AuditLog, Customer
from cardhour_billing.portal.catalog.effect import TEXT_BYTES_MAX
from tests.billing.in_process import Store
from tests.billing.security.conftest import Browser
from tests.billing.security.test_spreadsheets import assert_no_formula

pytestmark = pytest.mark.parametrize("migrated", ["sqlite"], indirect=True)

CATALOG = '[[customer]]\nid = "acme"\nname = "Acme Ltd"\n'


def archive() -> bytes:
    """A ZIP of a megabyte of zeros, as a bomb is made."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("catalog.toml", b"\0" * 1_000_000)
    return file.getvalue()


WRONG = {
    "too large": (b"#" * (TEXT_BYTES_MAX + 1), "apply it with cardhour catalog apply"),
    "a workbook": (archive(), "is a workbook or a ZIP archive"),
    "compressed": (gzip.compress(CATALOG.encode()), "is compressed"),
    "a PDF": (b"%PDF-1.7\n", "is a PDF"),
    "UTF-16": (CATALOG.encode("utf-16"), "is in UTF-16"),
    "GB 18030": ('name = "青禾"'.encode("gb18030"), "is not a text in UTF-8"),
    "binary": (bytes(range(128, 256)), "is not a text in UTF-8"),
    "a NUL": (b'id = "\0"', "catalog"),
    "not TOML": (b"<script>alert(1)</script>", "at line 1"),
    "too deep": (b"a = " + b"[" * 20_000, "nested more deeply"),
    "too long a number": (b"a = " + b"9" * 20_000, "digits"),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_file_that_is_no_catalog_is_refused_with_what_it_is(what: str, browser: Browser) -> None:
    content, problem = WRONG[what]
    before = AuditLog.objects.count()
    answer = upload(browser("billing"), content)
    page = answer.content.decode()
    assert answer.status_code == 422
    assert problem in page
    assert "<script>alert" not in page
    assert AuditLog.objects.count() == before


def test_the_name_of_a_file_is_text_and_leads_nowhere(browser: Browser) -> None:
    page = upload(browser("billing"), b"\xfd", "../../<b>x</b>.toml").content.decode()
    assert "is not a text in UTF-8" in page
    assert "<b>x" not in page
    assert "../" not in page


def test_a_byte_order_mark_and_windows_line_ends_are_fine(browser: Browser, books_of_two: Store) -> None:
    content = b"\xef\xbb\xbf" + CATALOG.replace("\n", "\r\n").replace("Acme Ltd", "Acme GmbH").encode()
    answer = upload(browser("billing"), content)
    assert answer.status_code == 200
    assert "Acme GmbH" in answer.content.decode()
    assert Customer.objects.get(key="acme").name == "Acme Ltd", "a preview changes nothing"


def test_a_form_larger_than_any_catalog_is_not_read(browser: Browser) -> None:
    answer = browser("billing").post("/catalog/preview/", {"text": "#" * 3_000_000})
    assert answer.status_code == 400


def test_a_name_that_calculates_is_text_in_the_list_that_is_exported(browser: Browser) -> None:
    Customer.objects.filter(key="acme").update(name="=cmd|'/C calc'!A0")
    answer = browser("billing").get("/records/customers/?format=csv")
    content = b"".join(getattr(answer, "streaming_content", None) or [answer.content])
    assert b"cmd|" in content
    assert_no_formula(content)


def upload(client: Client, content: bytes, name: str = "catalog.toml") -> HttpResponse:
    answer = client.post("/catalog/preview/", {"file": SimpleUploadedFile(name, content)})
    assert isinstance(answer, HttpResponse)
    return answer
