"""Every file of a document from its frozen bytes: by this process, or by several where there are many.

Owns the list of formats and how the work is shared out. Does not own keeping what is made (``rendering``). Knows no
store and no Django, so that a fresh process is ready at once.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from cardhour_billing.documents import invoice_csv, invoice_pdf
from cardhour_billing.einvoice import ubl
from cardhour_billing.frozen.document import InvoiceDocument, decode
from cardhour_contract.errors import InvariantBroken, Refuse

Renderer = Callable[[InvoiceDocument], bytes]
Made = dict[str, tuple[bytes, str]]
"""Format → its bytes, or nothing and why the document cannot be said in it."""

RENDERERS: dict[str, Renderer] = {"pdf": invoice_pdf.render, "csv": invoice_csv.render, "xml": ubl.render}
"""Kept with every issued document. A renderer refuses a document that its format has no words for."""

MANY = 100
"""From so many documents on, processes of their own pay: starting one takes about as long as making fifty."""
PROCESSES_MAX = 8
HANDED_AT_ONCE = 8


def made(frozen: bytes) -> Made:
    """Every file of one document."""
    document = decode(frozen)
    return {name: _made(render, document) for name, render in RENDERERS.items()}


def made_of_many(frozen: Sequence[bytes]) -> Iterator[Made | str]:
    """The files of each document in order, or why they cannot be made."""
    if len(frozen) < MANY:
        yield from map(_made_or_why, frozen)
        return
    # Fresh processes, never forks: a fork of a process with threads can stop for ever.
    with ProcessPoolExecutor(_processes(), mp_context=get_context("spawn")) as pool:
        yield from pool.map(_made_or_why, frozen, chunksize=HANDED_AT_ONCE)


def in_lots(keys: Sequence[int], size: int) -> Iterable[Sequence[int]]:
    """``keys`` in lots of ``size``, so that a month of any size fits into memory."""
    return (keys[start : start + size] for start in range(0, len(keys), size))


def _processes() -> int:
    return min(len(os.sched_getaffinity(0)), PROCESSES_MAX)


def _made_or_why(frozen: bytes) -> Made | str:
    try:
        return made(frozen)
    except InvariantBroken as error:
        return str(error)


def _made(render: Renderer, document: InvoiceDocument) -> tuple[bytes, str]:
    try:
        return render(document), ""
    except Refuse as error:
        return b"", "; ".join(error.problems)
