"""The portal in a real browser: who sees what, and what can be done with it."""

from __future__ import annotations

import csv
import re
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import Page, expect

from tests.portal.conftest import Visit
from tests.portal.pdf_text import text_of
from tests.portal.signing_in import PASSWORD
from tests.portal.waiting import until_it_comes_by_itself

CUSTOMER, MEMBER, OTHER, STAFF, VIEWER, LOST = "chen.yi", "xu.fan", "ada", "lin.yue", "wen.jie", "nobody.yet"


def minor(text: str) -> int:
    """An amount as a page prints it, in minor units."""
    return int(text.replace(",", "").replace(".", "").replace("−", "-"))


def open_first(page: Page) -> str:
    """Open the first invoice of a list; returns its path."""
    page.click("tbody tr:first-child th a")
    page.wait_for_url("**/invoices/*/")
    return urlsplit(page.url).path


def test_a_customer_signs_in_and_sees_own_invoices_only(visit: Visit) -> None:
    page = visit("/invoices/")
    assert "/sign-in/?next=/invoices/" in page.url
    page.fill("input[name=username]", CUSTOMER)
    page.fill("input[name=password]", PASSWORD)
    page.click("form:has(input[name=password]) button")
    expect(page.locator("tbody tr")).to_have_count(3)
    expect(page.locator("#results")).to_contain_text("3 issued, 731,529.70")
    expect(page.locator("body")).not_to_contain_text("Lakeside")
    page.click("text=Sign out")
    page.wait_for_url("**/sign-in/**")
    page.goto("/invoices/")
    assert "/sign-in/" in page.url


def test_a_wrong_password_is_refused_and_too_many_lock(visit: Visit) -> None:
    page = visit("/sign-in/")
    for tried in range(5):
        page.fill("input[name=username]", "ghost")
        page.fill("input[name=password]", f"wrong {tried}")
        with page.expect_navigation():
            page.click("form:has(input[name=password]) button")
        if tried < 4:
            expect(page.get_by_role("alert")).to_contain_text("Name and password do not match")
    expect(page.get_by_role("heading", level=1)).to_have_text("Too many tries")


def test_the_pdf_downloaded_is_the_invoice_shown(visit: Visit, tmp_path: Path) -> None:
    page = visit("/invoices/", login=CUSTOMER)
    open_first(page)
    due = page.locator(".due").inner_text()
    with page.expect_download() as download:
        page.click("text=Download PDF")
    file = tmp_path / download.value.suggested_filename
    download.value.save_as(file)
    assert file.name == "EC-2026-0419.pdf"
    assert file.read_bytes().startswith(b"%PDF")
    assert due == "257,161.18 CNY"
    assert due in text_of(file)


def test_the_csv_has_the_lines_of_the_page(visit: Visit) -> None:
    page = visit("/invoices/", login=CUSTOMER)
    path = open_first(page)
    lines = page.locator(".paper tbody tr").count()
    answer = page.request.get(f"{path}lines.csv")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert len(answer.body().decode("utf-8-sig").splitlines()) == lines + 1


def test_another_customers_invoice_does_not_exist_for_me(visit: Visit) -> None:
    theirs = open_first(visit("/invoices/", login=OTHER))
    mine = visit("/invoices/", login=CUSTOMER)
    for path in (theirs, f"{theirs}statement.pdf", f"{theirs}lines.csv"):
        assert mine.request.get(path).status == 404
    mine.goto(theirs)
    expect(mine.get_by_role("heading", level=1)).to_have_text("Nothing here")


def test_a_draft_is_for_staff_only(visit: Visit) -> None:
    staff = visit("/invoices/?state=draft", login=STAFF)
    expect(staff.locator("tbody tr")).to_have_count(2)
    path = open_first(staff)
    expect(staff.locator("h1")).to_have_text("Draft statement")
    for login in (CUSTOMER, OTHER, LOST):
        assert visit("/invoices/", login=login).request.get(path).status == 404


def test_a_month_of_usage_adds_up_on_the_page_and_in_its_report(visit: Visit, tmp_path: Path) -> None:
    page = visit("/usage/?month=2026-11", login=CUSTOMER)
    to_date = page.locator(".figures .figure").first.inner_text()
    models = page.locator("section", has=page.get_by_role("heading", name="By model"))
    assert sum(map(minor, models.locator("tbody td:last-child").all_inner_texts())) == minor(to_date)
    assert models.locator("tfoot td:last-child").inner_text() == to_date
    expect(page.locator("#leased footer")).to_contain_text("used 10,158.00 + idle 2,705.00 + faulted 1.00 = 12,864.00")
    expect(page.locator(".note.warn")).to_contain_text("3 leased cards have been idle since 19 November 2026.")
    with page.expect_download() as download:
        page.click("text=Download report")
    download.value.save_as(tmp_path / "report.csv")
    rows = list(csv.DictReader((tmp_path / "report.csv").read_text("utf-8-sig").splitlines()))
    assert sum(minor(row["net"]) for row in rows) == minor(to_date)
    until_it_comes_by_itself(page, f"{len(rows)} rows")
    expect(page.locator("#reports a")).to_have_attribute("href", re.compile("by=day-project-model"))


def test_budgets_are_set_by_the_admin_of_the_organisation_alone(visit: Visit) -> None:
    page = visit("/budgets/", login=CUSTOMER)
    budgets = page.locator("section", has=page.get_by_role("heading", name="Budgets", exact=True))
    expect(budgets.locator("tbody tr")).to_have_count(2)
    page.fill("input[name=amount]", "lots")
    page.click("text=Add budget")
    expect(page.get_by_role("alert")).to_contain_text("'lots' is not an amount")
    assert page.locator("input[name=amount]").input_value() == "lots"
    page.fill("input[name=amount]", "1,234.50")
    page.click("text=Add budget")
    expect(budgets.locator("tbody tr")).to_have_count(3)
    expect(budgets).to_contain_text("1,234.50")
    budgets.locator("tbody tr").last.get_by_role("button", name="Remove").click()
    expect(budgets.locator("tbody tr")).to_have_count(2)
    page.fill("input[name=url]", "https://127.0.0.1/hooks")
    page.click("text=Set webhook")
    expect(page.get_by_role("alert")).to_contain_text("inside a private network")
    member = visit("/budgets/", login=MEMBER)
    expect(member.locator("main")).to_contain_text("Delivery log")
    expect(member.locator("main form")).to_have_count(0)
    assert member.request.post("/budgets/add", headers={"referer": member.url}).status == 403


def test_every_document_of_an_account_downloads(visit: Visit) -> None:
    page = visit("/statements/", login=CUSTOMER)
    pdf, csv_file = (link.get_attribute("href") for link in page.locator("tbody td.number a").all())
    assert page.request.get(str(pdf)).body().startswith(b"%PDF")
    assert "closing" in page.request.get(str(csv_file)).text()
    assert visit("/statements/", login=OTHER).request.get(str(pdf)).status == 404
    page.goto("/invoices/19/")
    book = page.request.get(str(page.get_by_role("link", name="Workbook").get_attribute("href")))
    assert book.body().startswith(b"PK")
    for path in ("/invoices/19/document.xml", "/invoices/19/lines.xlsx"):
        assert visit("/invoices/", login=OTHER).request.get(path).status == 404


def test_a_customer_may_not_see_the_month_close(visit: Visit) -> None:
    page = visit("/", login=CUSTOMER)
    assert page.url.endswith("/usage/")
    assert page.request.get("/close/").status == 403
    assert page.request.get("/close/2026-10/").status == 403


def test_a_login_without_a_customer_is_told_what_to_do(visit: Visit) -> None:
    expect(visit("/invoices/", login=LOST).locator("main")).to_contain_text("Your login belongs to no customer yet")


def test_the_month_close_adds_up_by_currency(visit: Visit) -> None:
    page = visit("/close/", login=STAFF)
    expect(page.locator("h1")).to_have_text("Close October 2026")
    for currency in ("CNY", "JPY", "KWD", "USD"):
        rows = page.locator("tbody tr").filter(has=page.locator("th", has_text=currency))
        for cell in ("td:nth-child(4)", "td:nth-child(7)"):  # usage, net
            amounts = [text.replace(",", "") for text in rows.locator(cell).all_inner_texts()]
            total = page.locator("tfoot tr", has_text=currency).locator(cell).inner_text().replace(",", "")
            assert sum(int(amount.replace(".", "")) for amount in amounts) == int(total.replace(".", ""))
    expect(page.locator("tbody")).to_contain_text("Price gap")
    expect(page.locator(".finding").first).to_contain_text("card-hours of H800 have no price in CNY")
    expect(page.locator(".figures")).to_contain_text("1 ready, 1 blocked")
    page.click("text=September 2026")
    expect(page.locator("h1")).to_have_text("Close September 2026")


def test_filters_live_in_the_address_and_need_no_reload(visit: Visit) -> None:
    page = visit("/invoices/", login=STAFF)
    page.evaluate("window.kept = true")
    page.select_option("select[name=month]", "2026-09")
    expect(page.locator("tbody tr")).to_have_count(9)
    page.wait_for_url("**month=2026-09**")
    page.select_option("select[name=customer]", "lakeside")
    expect(page.locator("tbody tr")).to_have_count(1)
    page.wait_for_url("**customer=lakeside**")
    assert page.evaluate("window.kept") is True
    page.reload()
    expect(page.locator("tbody tr")).to_have_count(1)
    assert page.locator("select[name=month]").input_value() == "2026-09"


def test_filters_work_without_script_too(visit: Visit) -> None:
    page = visit("/invoices/", login=STAFF, java_script_enabled=False)
    page.fill(".filters input[name=q]", "northlight")
    page.click("text=Apply")
    page.wait_for_url("**q=northlight**")
    expect(page.locator("tbody tr")).to_have_count(3)


def test_the_language_is_switched_where_one_stands(visit: Visit) -> None:
    page = visit("/invoices/19/", login=CUSTOMER)
    page.click("text=中文")
    expect(page.locator("html")).to_have_attribute("lang", "zh-hans")
    assert page.url.endswith("/invoices/19/")
    expect(page.locator("h1")).to_have_text("账单 EC-2026-0419")
    expect(page.locator(".paper")).to_contain_text("10 月 1–31 日")
    page.click("text=English")
    expect(page.locator("h1")).to_have_text("Statement EC-2026-0419")


def test_a_browser_set_to_chinese_starts_in_chinese(visit: Visit) -> None:
    expect(visit("/sign-in/", locale="zh-CN").locator("h1")).to_have_text("登录")


def test_pages_load_from_us_only_and_are_kept_in_no_cache(visit: Visit) -> None:
    page = visit("/sign-in/", login=CUSTOMER)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    with page.expect_request(lambda request: request.url.endswith(".ttf")):
        answer = page.goto("/invoices/19/", wait_until="networkidle")
    assert answer is not None
    origin = page.evaluate("location.origin")
    assert [url for url in asked if not url.startswith(f"{origin}/")] == []
    assert "default-src 'self'" in answer.headers["content-security-policy"]
    assert "unsafe" not in answer.headers["content-security-policy"]
    assert "no-store" in answer.headers["cache-control"]
    assert "<script>" not in answer.text()
    assert "style=" not in answer.text()
