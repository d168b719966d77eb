"""Statements by mail, with a link by which the reader confirms or disputes without a login.

Owns the letter, the link, and that what was mailed is on record as sent. Does not own what may become of a statement
(``statement``), nor that a letter is sent once (``mailing``). The link is signed by the portal's key, is good for one
statement and for so many days, and lets nobody do more than answer: it is worth what the mailbox is worth.
"""

from __future__ import annotations

from django.core.signing import BadSignature, Signer
from django.urls import reverse

from cardhour_billing.figures import day_en, day_zh, grouped
from cardhour_billing.models import Statement
from cardhour_billing.outgoing import MailSettings
from cardhour_billing.sending.invoice_mail import addresses
from cardhour_billing.sending.mail import Attachment, Letter
from cardhour_billing.sending.mailing import Fate, fate_of, send
from cardhour_billing.statements import csv as statement_csv
from cardhour_billing.statements import pdf as statement_pdf
from cardhour_billing.statements.document import StatementDocument
from cardhour_billing.statements.statement import document_of, mark_sent, state
from cardhour_contract.clock import Clock
from cardhour_contract.errors import Refuse
from cardhour_contract.moment import DAY_MS

ANSWER_DAYS = 60
"""How long a link can be answered: two closes; who answers later signs in, or writes."""

_SALT = "cardhour statement answer"


def key_of(statement: Statement) -> str:
    """What the mail of a statement is called in the log."""
    return f"statement {statement.pk}"


def link_token(statement: Statement, clock: Clock) -> str:
    """What the link of a statement has: which it is and until when it is good, signed."""
    until_ms = clock.now_ms() + ANSWER_DAYS * DAY_MS
    return Signer(salt=_SALT).sign_object({"statement": statement.pk, "until_ms": until_ms})


def statement_named_by(token: str, now_ms: int) -> Statement | None:
    """The statement that a link is of; nothing for one that we did not sign, or that is too old."""
    try:
        said = Signer(salt=_SALT).unsign_object(token)
    except (BadSignature, ValueError):
        return None
    if now_ms >= said["until_ms"]:
        return None
    return Statement.objects.select_related("customer__issuer").filter(pk=said["statement"]).first()


def recipients_of(statement: Statement) -> tuple[str, ...]:
    """Whom a statement is mailed to. Raises Refuse where the catalog does not say."""
    to = addresses(statement.customer)
    if not to:
        raise Refuse(f"statement {statement.pk}: customer '{statement.customer.key}' has no email in the catalog")
    return to


def statement_letter(statement: Statement, portal: str, clock: Clock) -> Letter:
    """The letter of a statement. ``portal`` is the address of the portal; without one, who disagrees writes back."""
    to, document = recipients_of(statement), document_of(statement)
    link = portal.rstrip("/") + reverse("statement-answer", args=(link_token(statement, clock),)) if portal else ""
    subjects = [f"Statement of account to {day_en(document.last_day)}", f"对账单（截至 {day_zh(document.last_day)}）"]
    parts = [_english(document, link), _chinese(document, link)]
    if document.customer.language == "zh-hans":
        subjects.reverse()
        parts.reverse()
    name = f"statement-{document.customer.id}-{document.first_day}-{document.last_day}-r{document.revision}"
    return Letter(
        key=key_of(statement),
        recipients=to,
        subject=f"{document.issuer.name}: {' / '.join(subjects)}",
        text="\n\n----\n\n".join(parts) + "\n",
        attachments=(
            Attachment(name=f"{name}.pdf", mime="application/pdf", content=statement_pdf.render(document)),
            Attachment(name=f"{name}.csv", mime="text/csv", content=statement_csv.render(document)),
        ),
    )


def send_statement(
    statement: Statement, settings: MailSettings, portal: str, *, clock: Clock, who: str, again: bool = False
) -> Fate:
    """Mail a statement once, or ``again``, and keep that it was sent; what became of the mail.

    What may have left counts as sent: its reader may answer. A crash in between is made good by the next call.
    """
    if again and state(statement) == "confirmed":
        raise Refuse(f"statement {statement.pk} is confirmed: draw up another revision, and send that")
    letter = statement_letter(statement, portal, clock)
    before = fate_of(letter.key)
    fate = send(statement.customer, letter, settings, clock=clock, who=who, again=again)
    if not fate.open and (fate.round > before.round or state(statement) == "draft"):
        mark_sent(statement, ", ".join(letter.recipients), clock=clock, who=who)
    return fate


def _english(document: StatementDocument, link: str) -> str:
    span = f"{day_en(document.first_day)} to {day_en(document.last_day)}"
    ask = "Please confirm it, or say which lines are not right" + (f", within {ANSWER_DAYS} days:" if link else ".")
    return "\n".join(
        [
            f"Dear {document.customer.name},",
            "",
            f"please find attached our statement of account from {span}, in {document.currency}:",
            "",
            f"  opening balance  {grouped(document.opening)}",
            f"  charges          {grouped(document.charged)}",
            f"  payments         {grouped(document.paid)}",
            f"  closing balance  {grouped(document.closing)}",
            "",
            ask,
            *([f"  {link}"] if link else ["Answering this mail is enough."]),
            "",
            document.issuer.legal_name,
        ]
    )


def _chinese(document: StatementDocument, link: str) -> str:
    span = f"{day_zh(document.first_day)}至 {day_zh(document.last_day)}"
    return "\n".join(
        [
            f"{document.customer.legal_name}：",
            "",
            f"附件为 {span}的对账单，单位 {document.currency}：",
            "",
            f"  期初余额  {grouped(document.opening)}",
            f"  本期费用  {grouped(document.charged)}",
            f"  本期付款  {grouped(document.paid)}",
            f"  期末余额  {grouped(document.closing)}",
            "",
            f"请在 {ANSWER_DAYS} 天内确认，或指出有异议的行："
            if link
            else "请核对；确认或有异议，直接回复本邮件即可。",
            *([f"  {link}"] if link else []),
            "",
            document.issuer.legal_name,
        ]
    )
