"""The PDF says what the document says, in the reader's language first, and the same way every time."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest
from msgspec.structs import replace

from cardhour_billing.documents.invoice_pdf import render
from cardhour_billing.frozen.document import InvoiceDocument
from tests.portal import pdf_text, sample

ROOT = Path(__file__).parents[2]
RENDER_ALL = """
import hashlib
from tests.portal import sample
from cardhour_billing.documents.invoice_pdf import render
for name in ("ISSUED", "DRAFT", "LONG", "ODD_GLYPHS"):
    print(hashlib.sha256(render(getattr(sample, name))).hexdigest())
"""


def text_of(pdf: bytes, folder: Path) -> str:
    file = folder / "invoice.pdf"
    file.write_bytes(pdf)
    return pdf_text.text_of(file)


def test_an_issued_statement_carries_every_figure_of_its_document(tmp_path: Path) -> None:
    pdf = render(sample.ISSUED)
    text = text_of(pdf, tmp_path)
    assert pdf.startswith(b"%PDF")
    for printed in (
        "Statement of charges", "账单", "EC-2026-0424", "Qinghe AI Technology Ltd.", "清禾智能科技有限公司",
        "3,287.7723", "22.84", "75,092.72", "1,204.112358", "321,595.83", "19,295.75", "340,891.58 CNY",
        "0000 1111 2222 3333", "8f3c 2a91 … 77d0", "Asia/Shanghai", "2026-10-01 – 10-31",
    ):  # fmt: skip
        assert printed in text


def test_a_credit_line_has_a_true_minus_sign(tmp_path: Path) -> None:
    text = text_of(render(sample.ISSUED), tmp_path)
    assert "−144.75" in text
    assert "−89.5439" in text
    assert "-144.75" not in text


def test_it_is_a_statement_and_never_calls_itself_a_fapiao(tmp_path: Path) -> None:
    text = text_of(render(sample.CHINESE), tmp_path)
    assert "账单 Statement of charges" in text
    assert text.count("发票") == text.count("本账单不是发票") == 1


def test_the_customers_language_comes_first(tmp_path: Path) -> None:
    assert "应付 Due" in text_of(render(sample.CHINESE), tmp_path)
    assert "Due 应付" in text_of(render(sample.ISSUED), tmp_path)


@pytest.mark.parametrize(
    ("document", "due"), [(sample.YEN, "107,437 JPY"), (sample.DINAR, "91.347 KWD"), (sample.EMPTY, "0.00 CNY")]
)
def test_amounts_have_the_decimals_of_their_currency(document: InvoiceDocument, due: str, tmp_path: Path) -> None:
    assert due in text_of(render(document), tmp_path)


def test_a_draft_says_so_and_asks_for_no_money(tmp_path: Path) -> None:
    text = text_of(render(sample.DRAFT), tmp_path)
    assert "Draft, may still change" in text
    assert "due by" not in text
    assert "0000 1111 2222 3333" not in text


def test_the_head_of_the_table_and_the_number_repeat_on_every_page_and_no_line_is_lost(tmp_path: Path) -> None:
    pdf = render(sample.LONG)
    pages = text_of(pdf, tmp_path).split("\f")[:-1]
    with_lines = [page for page in pages if "MODEL-" in page]
    assert len(with_lines) > 3
    assert all("Quantity" in page and "数量" in page for page in with_lines)
    for at, page in enumerate(pages, 1):
        assert "EC-2026-0424" in page
        assert f"{at}/{len(pages)}" in page.replace(" ", "")
    assert all(f"MODEL-{at:03d}" in "".join(pages) for at in range(1, 121))


def test_a_long_table_carries_its_sum_from_page_to_page(tmp_path: Path) -> None:
    pages = text_of(render(sample.LONG), tmp_path).split("\f")[:-1]
    with_lines = [page for page in pages if "MODEL-" in page]
    for at, (page, following) in enumerate(pairwise(with_lines)):
        last = max(int(found) for found in re.findall(r"MODEL-(\d{3})", page))
        sum_so_far = f"{last * 1.5:.2f} CNY"
        assert f"Carried forward 过次页 {sum_so_far}" in re.sub(" +", " ", page), at
        assert f"Carried over 承前页 {sum_so_far}" in re.sub(" +", " ", following), at
    assert "Carried over" not in pages[0]
    assert "Carried forward" not in with_lines[-1]


def test_every_kind_of_line_says_what_it_is(tmp_path: Path) -> None:
    text = text_of(render(sample.MIXED), tmp_path)
    for printed in (
        "leased 包租", "add-on 附加服务", "commitment 承诺用量", "adjustment of an earlier month 前期调整",
        "allowance 赠送额度", "carried forward 上期结转", "server-month 台月", "133,400.00", "−1,820.00", "−10,000.00",
        "34,840.00", "16,192.47", "588,907.05", "−500,000.00", "88,907.05 CNY", "EC-2026-0399",
    ):  # fmt: skip
        assert printed in text


def test_a_credit_note_names_what_it_credits_and_why_and_gives_back_positive_amounts(tmp_path: Path) -> None:
    text = text_of(render(sample.CREDIT_NOTE), tmp_path)
    for printed in (
        "Credit note 贷项账单", "EC-CN-2026-0007", "Credits 冲减账单", "EC-2026-0424", "goodwill 商誉补偿",
        "1,060.00 CNY", "Credited 贷记",
    ):  # fmt: skip
        assert printed in text
    assert "−" not in text
    assert "due by" not in text
    assert text.count("发票") == text.count("本账单不是发票") == 1


def test_outside_china_an_invoice_is_called_one(tmp_path: Path) -> None:
    german = replace(sample.ISSUED, issuer=replace(sample.ISSUED.issuer, country="DE"))
    text = text_of(render(german), tmp_path)
    assert "Invoice 账单" in text
    assert "发票" not in text


def test_a_name_in_two_scripts_has_a_line_for_each_and_is_said_once(tmp_path: Path) -> None:
    customer = replace(
        sample.ISSUED.customer, name="Qinghe AI 清禾智能", legal_name="Qinghe AI Technology Ltd. 清禾智能科技有限公司"
    )
    lines = text_of(render(replace(sample.ISSUED, customer=customer)), tmp_path).splitlines()
    [english] = [at for at, line in enumerate(lines) if "Qinghe AI" in line]
    assert "清禾智能科技有限公司" in lines[english + 1]


def test_a_name_that_looks_like_markup_is_only_oddly_named(tmp_path: Path) -> None:
    text = text_of(render(sample.LONG), tmp_path)
    for part in ('<b>"Quoted"</b>', "#panic()", "$x$", "*bold*", "_under_"):
        assert part in text


def test_a_character_without_a_glyph_stops_no_invoice(tmp_path: Path) -> None:
    text = text_of(render(sample.ODD_GLYPHS), tmp_path)
    assert "340,891.58 CNY" in text
    assert "한국 日本" in text


def test_fonts_are_embedded_and_the_machines_own_are_not_used(tmp_path: Path) -> None:
    file = tmp_path / "invoice.pdf"
    file.write_bytes(render(sample.ISSUED))
    fonts = pdf_text.run_poppler("pdffonts", str(file)).splitlines()[2:]
    assert fonts
    assert all("Inter" in font or "NotoSansSC" in font for font in fonts)
    assert all(font.split()[-5] == "yes" for font in fonts)


def test_two_processes_give_the_same_bytes() -> None:
    outputs = {
        subprocess.run([sys.executable, "-c", RENDER_ALL], cwd=ROOT, check=True, capture_output=True, text=True).stdout
        for _ in range(2)
    }
    here = [
        hashlib.sha256(render(getattr(sample, name))).hexdigest() for name in ("ISSUED", "DRAFT", "LONG", "ODD_GLYPHS")
    ]
    assert outputs == {"\n".join(here) + "\n"}


def test_another_amount_is_another_document() -> None:
    assert render(sample.ISSUED) != render(replace(sample.ISSUED, due="340891.59"))
