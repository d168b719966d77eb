"""EN 16931 XML: the official rules pass what we write, and they and ours together find every broken document."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from msgspec.structs import replace

from cardhour_billing.einvoice import official
from cardhour_billing.einvoice.finding import Finding
from cardhour_billing.einvoice.ubl import render
from cardhour_billing.frozen.document import Bank, DocumentLine, InvoiceDocument, TaxRow, decode
from cardhour_contract.errors import InvariantBroken, Refuse

GOLDEN = Path(__file__).parent / "golden"


def frozen(case: str, *countries: str) -> InvoiceDocument:
    """A golden invoice whose parties live in ``countries``: the issuer's, then the customer's."""
    document = decode((GOLDEN / f"{case}.json").read_bytes())
    issuer, customer = countries
    return replace(
        document,
        issuer=replace(
            document.issuer,
            country=issuer,
            address=("Hofplatz 1", "Hinterhaus", "53111 Bonn"),
            bank=Bank(account_name="Beispiel", bank="Beispielbank", account="DE02120300000000202051"),
        ),
        customer=replace(document.customer, country=customer),
    )


EU = frozen("eu_two_rates", "DE", "DE")
CREDIT_LINE = replace(EU.lines[0], amount="-24.90", net="-24.90", printed_quantity="-10.0000")


def with_lines(
    document: InvoiceDocument, lines: tuple[DocumentLine, ...], tax: tuple[TaxRow, ...], **sums: str
) -> InvoiceDocument:
    """The document with other lines, tax rows and sums."""
    return replace(document, lines=lines, tax=tax, **sums)


UNTAXED = with_lines(
    EU, tuple(replace(line, tax_category="") for line in EU.lines), (), total="28.23", due="28.23"
)  # fmt: skip
ZERO = with_lines(
    EU,
    tuple(replace(line, tax_category="zero 0") for line in EU.lines),
    (TaxRow(category="zero", rate_percent="0", net="28.23", tax="0.00", code="Z"),),
    total="28.23",
    due="28.23",
)
SAME_RATE = with_lines(
    EU,
    (EU.lines[0], replace(EU.lines[1], tax_category="reduced 19")),
    (
        TaxRow(category="standard", rate_percent="19", net="24.90", tax="4.73", code="S"),
        TaxRow(category="reduced", rate_percent="19", net="3.33", tax="0.63", code="S"),
    ),
    total="33.59",
    due="33.59",
)
WITH_CREDIT = with_lines(
    EU,
    (
        replace(EU.lines[0], amount="49.80", net="49.80", printed_quantity="20.0000"),
        replace(CREDIT_LINE, position=2, printed_quantity="1", unit_price="-24.90"),
    ),
    (TaxRow(category="standard", rate_percent="19", net="24.90", tax="4.73", code="S"),),
    net="24.90",
    total="29.63",
    due="29.63",
)
CREDIT_NOTE = with_lines(
    replace(EU, kind="credit-note", number="BR-CN-2026-0001", original="BR-2026-0001", reason="correction"),
    (CREDIT_LINE,),
    (TaxRow(category="standard", rate_percent="19", net="-24.90", tax="-4.73", code="S"),),
    net="-24.90",
    total="-29.63",
    due="-29.63",
)
YEN = replace(
    with_lines(
        UNTAXED,
        (replace(UNTAXED.lines[0], unit_price="151.25", printed_quantity="12.0000", amount="1815", net="1815"),),
        (), net="1815", total="1815", due="1815",
    ),
    currency="JPY",
    decimals=0,
)  # fmt: skip

GOOD = {
    "cny_6": frozen("cny_6", "CN", "CN"),
    "cny_6_included": frozen("cny_6_included", "CN", "CN"),
    "cny_rate_changes": frozen("cny_rate_changes", "CN", "CN"),
    "eu_exempt": frozen("eu_exempt", "DE", "DE"),
    "eu_reverse_charge": frozen("eu_reverse_charge", "DE", "FR"),
    "eu_two_rates": EU,
    "untaxed": UNTAXED,
    "zero": ZERO,
    "two_categories_of_one_rate": SAME_RATE,
    "credit_line": WITH_CREDIT,
    "credit_note": CREDIT_NOTE,
    "yen": YEN,
    "part_paid": replace(EU, due="13.19"),
    "endpoints": replace(
        EU,
        issuer=replace(EU.issuer, endpoint="0204:991-12345-06"),
        customer=replace(
            EU.customer, endpoint="9930:DE987654321", buyer_reference="04011000-12345-34", po_number="PO 7"
        ),
    ),
    "odd_names": replace(EU, customer=replace(EU.customer, legal_name="A & B <\"x\"> \x07 ]]> 清禾 🚀")),
}  # fmt: skip

XML = {name: render(document) for name, document in GOOD.items()}


def broken(old: str, new: str, *, of: str = "eu_two_rates", times: int = 1) -> bytes:
    text = XML[of].decode()
    assert old in text
    return text.replace(old, new, times).encode()


def amount(name: str, old: str, new: str) -> bytes:
    """The good EU document with another figure in one place."""
    return broken(f'<cbc:{name} currencyID="EUR">{old}', f'<cbc:{name} currencyID="EUR">{new}')


def negative_invoice() -> bytes:
    """A credit note dressed up as an invoice, its amounts below zero."""
    text = XML["credit_note"].decode()
    for old, new in (
        ("CreditedQuantity", "InvoicedQuantity"), ("CreditNote", "Invoice"), (">381<", ">380<"),
        (">10.0000<", ">-10.0000<"), (">24.90<", ">-24.90<"), (">4.73<", ">-4.73<"), (">29.63<", ">-29.63<"),
    ):  # fmt: skip
        text = text.replace(old, new)
    return text.encode()


COUNTRY = "<cbc:IdentificationCode>DE</cbc:IdentificationCode>"

BROKEN: dict[str, tuple[bytes, str]] = {
    "payable": (amount("PayableAmount", "33.19", "33.18"), "BR-CO-16"),
    "sum of lines": (amount("LineExtensionAmount", "28.23", "28.24"), "BR-CO-10"),
    "no number": (broken("<cbc:ID>BR-2026-0001</cbc:ID>", "<cbc:ID></cbc:ID>"), "BR-02"),
    "no seller country": (broken(COUNTRY, COUNTRY.replace("DE", "")), "BR-09"),
    "a rate without its row": (broken("<cbc:Percent>7</cbc:Percent>", "<cbc:Percent>8</cbc:Percent>"), "BR-S-08"),
    "an exemption without its reason": (broken("TaxExemptionReason>", "Note>", of="eu_exempt", times=2), "XSD"),
    "three decimals": (amount("PayableAmount", "33.19", "33.190"), "BR-DEC-18"),
    "an unknown element": (broken("<cbc:CustomizationID>", "<cbc:Nonsense/><cbc:CustomizationID>"), "XSD"),
    "an unknown currency": (broken("EUR", "ZZZ", times=99), "BR-CL-04"),
    "a negative price": (amount("PriceAmount", "2.49", "-2.49"), "BR-27"),
    "no XML": (b"%PDF-1.7", "XML"),
    "another XML": (b"<html/>", "XML"),
    # what the official rules let pass
    "quantity × price": (amount("PriceAmount", "2.49", "2.50"), "CH-LINE"),
    "tax off by cents": (
        broken("4.73", "5.23").replace(b">4.96<", b">5.46<").replace(b">33.19<", b">33.69<"),
        "CH-TAX",
    ),
    "a currency of three decimals": (broken("EUR", "KWD", times=99), "CH-CURRENCY"),
    "a negative invoice": (negative_invoice(), "CH-NEGATIVE"),
}


@pytest.fixture(scope="module")
def found() -> Mapping[str, list[Finding]]:
    """What the rules say of every document here, good and broken: one process for all."""
    documents = [*XML.items(), *((f"broken: {name}", xml) for name, (xml, _) in BROKEN.items())]
    return dict(official.check(documents))


@pytest.mark.parametrize("case", GOOD)
def test_what_we_write_passes_the_official_rules_and_ours(case: str, found: Mapping[str, list[Finding]]) -> None:
    assert found[case] == []


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_document_fails(case: str, found: Mapping[str, list[Finding]]) -> None:
    assert BROKEN[case][1] in {each.rule for each in found[f"broken: {case}"] if each.severity == "fatal"}


@pytest.mark.parametrize("case", ["quantity × price", "tax off by cents", "a negative invoice"])
def test_what_only_our_rules_find(case: str, found: Mapping[str, list[Finding]]) -> None:
    assert {each.rule[:3] for each in found[f"broken: {case}"]} == {"CH-"}


@pytest.mark.parametrize("case", ["cny_6_included", "eu_reverse_charge", "untaxed", "credit_note", "yen"])
def test_golden_xml(case: str) -> None:
    assert XML[case].decode() == (GOLDEN / "ubl" / f"{case}.xml").read_text(encoding="utf-8")


def test_rules_that_cannot_run_pass_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A check that does not happen is an error, never a document called good."""
    silent = tmp_path / "python"
    silent.write_text("#!/bin/sh\necho 'no rules here' >&2\nexit 3\n")
    silent.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(silent))
    with pytest.raises(InvariantBroken, match="could not be checked against EN 16931: no rules here"):
        list(official.check([("EC-1", XML["cny_6"])]))


# what the standard has no words for is refused, with what to do


def test_a_currency_of_three_decimals_is_refused_by_name() -> None:
    dinar = replace(EU, currency="KWD", decimals=3)
    with pytest.raises(Refuse, match="KWD has 3 decimals"):
        render(dinar)


def test_a_negative_invoice_is_refused() -> None:
    with pytest.raises(Refuse, match="never a negative invoice"):
        render(replace(CREDIT_NOTE, kind="invoice"))


def test_every_missing_fact_is_named_at_once() -> None:
    bare = replace(
        GOOD["eu_reverse_charge"],
        issuer=replace(EU.issuer, country="", tax_id=""),
        customer=replace(EU.customer, country="", tax_id=""),
    )
    with pytest.raises(Refuse) as refused:
        render(bare)
    assert [problem.split(":")[0] for problem in refused.value.problems] == [
        "the issuer has no country",
        "the customer 'bonn' has no country",
        "the issuer has no tax_id, by which an EN 16931 document names its seller",
        "the customer 'bonn' has no tax_id, and a reverse charge needs it",
    ]


def test_untaxed_lines_beside_taxed_ones_are_refused() -> None:
    mixed = replace(EU, lines=(EU.lines[0], replace(EU.lines[1], tax_category="")))
    with pytest.raises(Refuse, match=r"untaxed: 2"):
        render(mixed)
