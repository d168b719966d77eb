"""Rendering: the files of an issued invoice, made once from its frozen document and kept.

Owns when files are made and which bytes are served. Does not own making them (``renderers``). A document that a format
cannot say has no such file, and the reason is kept in its place.
Rendering follows the commit of the invoice, so that a typesetter's mood costs no number; what a crash left without
files gets them at the next close or the scheduler's next check. A template that changes later changes no file that is
kept.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence

from django.conf import settings
from django.db import transaction
from django.db.models import Count, QuerySet

from cardhour_billing.audit.log import audit_all
from cardhour_billing.documents.renderers import RENDERERS, Made, in_lots, made, made_of_many
from cardhour_billing.einvoice.gate import broken
from cardhour_billing.frozen.document import decode
from cardhour_billing.models import Invoice, RenderedDocument
from cardhour_contract.clock import Clock
from cardhour_contract.errors import InvariantBroken, Refuse

Told = Callable[[str, int, int], None]
"""Told what is done now, how many are done, and of how many."""

KEPT_AT_ONCE = 20
"""Documents whose files are kept in one transaction, which waits for the disk: some 2 MB, and what a crash may cost."""

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
        all_made = zip(invoices, made_of_many([bytes(each.frozen) for each in invoices]), strict=True)
        waiting: list[tuple[Invoice, Made]] = []
        for invoice, files in _checked(all_made):
            done += 1
            if isinstance(files, str):
                failures.append(files)
            else:
                waiting.append((invoice, files))
            if len(waiting) == KEPT_AT_ONCE:
                _keep(waiting, clock, who)
                waiting = []
            progress(f"documents: {invoice.number}", done, len(wanting))
        _keep(waiting, clock, who)
    if failures:
        raise InvariantBroken(f"{len(failures)} issued invoices could not be rendered: {'; '.join(failures[:3])}")
    return len(wanting)


def keep(invoice: Invoice, clock: Clock, *, who: str) -> None:
    """Make and keep every file of an issued invoice. Files that are kept already stay, whoever made them."""
    ((_, files),) = _checked([(invoice, made(bytes(invoice.frozen)))])
    if isinstance(files, str):
        raise InvariantBroken(files)
    _keep([(invoice, files)], clock, who)


def _checked(pairs: Iterable[tuple[Invoice, Made | str]]) -> Iterable[tuple[Invoice, Made | str]]:
    """Each invoice with its files, or why it has none: it cannot be made, or its XML breaks a rule."""
    if not settings.CHECK_EINVOICES:
        return pairs
    all_made = list(pairs)
    wrong = broken(
        (str(invoice.number), files["xml"][0])
        for invoice, files in all_made
        if not isinstance(files, str) and files["xml"][0]
    )
    return [(invoice, wrong.get(str(invoice.number), files)) for invoice, files in all_made]


def _keep(made_now: Sequence[tuple[Invoice, Made]], clock: Clock, who: str) -> None:
    if not made_now:
        return
    with transaction.atomic():
        # 1. Of two processes the first to commit wins; the other's bytes go nowhere. 2. The hashes stand in the audit
        # log as well, so that bytes changed together with their hash are still found out.
        locked = Invoice.objects.select_for_update().filter(pk__in=[invoice.pk for invoice, _ in made_now])
        known = set(locked.order_by("pk").values_list("pk", flat=True))
        there = set(RenderedDocument.objects.filter(invoice__in=known).values_list("invoice", "format"))
        rows = {
            str(invoice.number): missing
            for invoice, content in made_now
            if (missing := [_row(invoice, name, content[name], clock) for name in sorted(content)
                            if (invoice.pk, name) not in there])
        }  # fmt: skip
        RenderedDocument.objects.bulk_create([row for missing in rows.values() for row in missing])
        audit_all(
            clock,
            who,
            (
                ("invoice.render", number, {row.format: row.sha256 for row in missing})
                for number, missing in rows.items()
            ),
        )


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
