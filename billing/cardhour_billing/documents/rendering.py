"""Rendering: the files of an issued invoice, made once from its frozen document and kept.

Owns when files are made and which bytes are served. Does not own making them (``renderers``). A document that a format
cannot say has no such file, and the reason is kept in its place.
Rendering follows the commit of the invoice, so that a typesetter's mood costs no number; what a crash left without
files gets them at the next close or the scheduler's next check. A template that changes later changes no file that is
kept.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from django.db import transaction
from django.db.models import Count, QuerySet

from cardhour_billing.audit.log import audit
from cardhour_billing.documents.renderers import RENDERERS, Made, in_lots, made, made_of_many
from cardhour_billing.frozen.document import decode
from cardhour_billing.models import Invoice, RenderedDocument
from cardhour_contract.clock import Clock
from cardhour_contract.errors import InvariantBroken, Refuse

Told = Callable[[str, int, int], None]
"""Told what is done now, how many are done, and of how many."""

LOT = 1000
"""Documents read and rendered at once: some hundred megabytes at the most."""


def unrendered() -> QuerySet[Invoice]:
    """Issued invoices that lack a file: only a crash leaves any. They cannot be sent."""
    issued = Invoice.objects.filter(state=Invoice.State.ISSUED).annotate(files=Count("rendered"))
    return issued.filter(files__lt=len(RENDERERS)).order_by("pk")


def render_missing(clock: Clock, *, who: str, progress: Told = lambda what, done, of: None) -> int:
    """Make the files that issued invoices lack; how many invoices were in want.

    Raises InvariantBroken at the end where some cannot be made; the others stand.
    """
    wanting = list(unrendered().values_list("pk", flat=True))
    failures: list[str] = []
    done = 0
    for lot in in_lots(wanting, LOT):
        invoices = list(Invoice.objects.filter(pk__in=lot).order_by("pk"))
        for invoice, files in zip(invoices, made_of_many([bytes(each.frozen) for each in invoices]), strict=True):
            done += 1
            if isinstance(files, str):
                failures.append(files)
            else:
                _keep(invoice, files, clock, who)
            progress(f"documents: {invoice.number}", done, len(wanting))
    if failures:
        raise InvariantBroken(f"{len(failures)} issued invoices could not be rendered: {'; '.join(failures[:3])}")
    return len(wanting)


def keep(invoice: Invoice, clock: Clock, *, who: str) -> None:
    """Make and keep every file of an issued invoice. Files that are kept already stay, whoever made them."""
    _keep(invoice, made(bytes(invoice.frozen)), clock, who)


def _keep(invoice: Invoice, content: Made, clock: Clock, who: str) -> None:
    with transaction.atomic():
        # 1. Of two processes the first to commit wins; the other's bytes go nowhere. 2. The hashes stand in the audit
        # log as well, so that bytes changed together with their hash are still found out.
        Invoice.objects.select_for_update().get(pk=invoice.pk)
        missing = content.keys() - set(_kept(invoice).values_list("format", flat=True))
        if missing:
            rows = [_row(invoice, name, content[name], clock) for name in sorted(missing)]
            RenderedDocument.objects.bulk_create(rows)
            audit(clock, who, "invoice.render", str(invoice.number), {row.format: row.sha256 for row in rows})


def content_of(invoice: Invoice, form: str, clock: Clock, *, who: str) -> bytes:
    """The file of an invoice: a draft's anew, the kept bytes of an issued one, made first where a crash left none."""
    if invoice.state != Invoice.State.ISSUED:
        return RENDERERS[form](decode(bytes(invoice.frozen)))
    if not _kept(invoice).filter(format=form).exists():
        keep(invoice, clock, who=who)
    return kept_content(invoice, form)


def kept_content(invoice: Invoice, form: str) -> bytes:
    """The kept bytes. Raises Refuse where there are none, InvariantBroken where they are not what was kept."""
    kept = _kept(invoice).get(format=form)
    if kept.absent_because:
        raise Refuse(f"{invoice.number} has no {form}: {kept.absent_because}")
    content = bytes(kept.content)
    if hashlib.sha256(content).hexdigest() != kept.sha256:
        raise InvariantBroken(f"the {form} of {invoice.number} is not the file that was issued: run cardhour verify")
    return content


def _kept(invoice: Invoice) -> QuerySet[RenderedDocument]:
    return RenderedDocument.objects.filter(invoice=invoice)


def _row(invoice: Invoice, name: str, made: tuple[bytes, str], clock: Clock) -> RenderedDocument:
    content, absent_because = made
    return RenderedDocument(
        invoice=invoice,
        format=name,
        content=content,
        sha256=hashlib.sha256(content).hexdigest(),
        absent_because=absent_because,
        rendered_at_ms=clock.now_ms(),
    )
