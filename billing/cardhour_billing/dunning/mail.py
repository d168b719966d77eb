"""Reminders by mail, each level once, with the invoices that they are about.

Owns the letter, and that what was mailed is on record as reminded of. Does not own when a reminder is due nor its words
(``dunning``), nor that a letter is sent once (``mailing``).
"""

from __future__ import annotations

import hashlib
from datetime import date

from cardhour_billing.documents.rendering import kept_content
from cardhour_billing.dunning.due import Message, record_sent
from cardhour_billing.outgoing import MailSettings
from cardhour_billing.sending.invoice_mail import ATTACHED, addresses
from cardhour_billing.sending.mail import Attachment, Letter
from cardhour_billing.sending.mailing import Fate, send
from cardhour_contract.clock import Clock
from cardhour_contract.errors import Refuse


def reminder_letter(message: Message) -> Letter:
    """The letter of a message, with the PDF of each invoice. Refuses a customer without an address."""
    customer = message.customer
    to = addresses(customer)
    if not to:
        raise Refuse(f"customer '{customer.key}' has no email in the catalog")
    what = ", ".join(f"{each.invoice.number} at level {each.level}" for each in message.reminders)
    # A key names all that it is about; where that is long, by its digest.
    name = what if len(what) <= 160 else hashlib.sha256(what.encode()).hexdigest()
    return Letter(
        key=f"reminder {name}",
        recipients=to,
        subject=message.subject,
        text=message.text,
        attachments=tuple(
            Attachment(
                name=f"{each.invoice.number}.pdf", mime=ATTACHED["pdf"], content=kept_content(each.invoice, "pdf")
            )
            for each in message.reminders
        ),
    )


def send_reminder(message: Message, settings: MailSettings, *, day: date, clock: Clock, who: str) -> Fate:
    """Mail a message and keep that its invoices were reminded of; what became of the mail.

    What may have left is kept as sent, too: the next level reminds anyway. A crash in between is made good by the next
    call, which finds the mail sent.
    """
    letter = reminder_letter(message)
    fate = send(message.customer, letter, settings, clock=clock, who=who)
    if not fate.open:
        record_sent(message, sent_to=", ".join(letter.recipients), day=day, clock=clock, who=who)
    return fate
