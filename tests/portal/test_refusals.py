"""Pages for what goes wrong outside of any view: they must need nothing that may be what broke."""

from __future__ import annotations

from django.test import RequestFactory
from django.views.csrf import csrf_failure
from django.views.defaults import server_error


def test_a_broken_page_says_so_without_session_store_or_script() -> None:
    answer = server_error(RequestFactory().get("/invoices/"))
    assert answer.status_code == 500
    text = answer.content.decode()
    assert "Nothing was changed" in text
    assert "<script" not in text


def test_a_form_that_is_too_old_says_what_to_do() -> None:
    answer = csrf_failure(RequestFactory().post("/sign-out/"))
    assert answer.status_code == 403
    assert "reload the page and send it again" in answer.content.decode()
