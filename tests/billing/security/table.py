"""The table of addresses: who may open what, and what everybody else is told.

**A new page goes here**: one line with its route as ``urls.py`` has it, a path on a thing of *acme*'s, who may, and
which methods it takes. A route of the API goes into ``SCOPES`` with the scope that it needs. The walk fails until it
does.
"""

from __future__ import annotations

from msgspec import Struct

from cardhour_billing.portal.records.nouns import NOUNS

STAFF = frozenset({"viewer", "billing", "admin"})
BILLERS = STAFF - {"viewer"}
ADMINS = frozenset({"admin"})
ACME = frozenset({"member", "organiser"})
RIVAL = frozenset({"stranger"})
"""The admin of another customer: nothing of acme's exists for them."""
CUSTOMERS = ACME | RIVAL
ORGANISERS = frozenset({"organiser", "stranger"})
LOST = frozenset({"lost"})
"""A login that was given to nobody."""
SIGNED_IN = STAFF | ACME | RIVAL | LOST
EVERYBODY = SIGNED_IN | {"anonymous"}


class Address(Struct, frozen=True, kw_only=True):
    """One address. ``who`` may; the others get ``refusal``, but for those who have not signed in: they are asked to."""

    path: str
    """With ids of acme's things in braces, as ``test_walk.things`` names them."""
    who: frozenset[str]
    methods: str = "GET"
    refusal: int = 403
    anonymous: int = 302
    found: int = 200
    """What those who may get."""
    more: tuple[str, ...] = ()
    """Other paths of the same route."""
    hidden: frozenset[str] = frozenset()
    """Roles that may have such a page, and for whom acme's does not exist: 404."""
    queries: int = 12
    """Most questions that a GET asks the store, however much there is (``test_queries``)."""
    signed: bool = False
    """Its link is all that is asked for: a mail program may send its form without a token."""
    own: frozenset[str] = frozenset()
    """Roles that may, and see other things than acme's: nothing of acme may be on their page."""


OF_ACME = ACME | STAFF
"""Who may see a thing of acme's; for the others it does not exist."""

PAGES: dict[str, Address] = {
    "": Address(path="/", who=SIGNED_IN, own=RIVAL | LOST),
    "sign-in/": Address(path="/sign-in/", who=EVERYBODY, methods="GET POST"),
    "sign-out/": Address(path="/sign-out/", who=EVERYBODY, methods="POST"),
    "language/": Address(path="/language/", who=EVERYBODY, methods="POST"),
    "forgotten/": Address(path="/forgotten/", who=EVERYBODY, methods="GET POST"),
    **{
        f"{word}/<str:uidb64>/<str:token>/": Address(  # for whoever has the link; this one is nobody's
            path=f"/{word}/MQ/no-such-token/", who=EVERYBODY, methods="GET POST", found=404
        )
        for word in ("new-password", "invitation")
    },
    "second-factor/": Address(path="/second-factor/", who=SIGNED_IN, methods="GET POST"),
    "profile/": Address(path="/profile/", who=SIGNED_IN, methods="GET POST"),
    "profile/second-factor/": Address(path="/profile/second-factor/", who=SIGNED_IN, methods="GET POST"),
    "profile/second-factor/off/": Address(path="/profile/second-factor/off/", who=SIGNED_IN, methods="POST"),
    "profile/recovery-codes/": Address(path="/profile/recovery-codes/", who=SIGNED_IN, methods="POST"),
    "invoices/": Address(path="/invoices/?customer=acme&q=acme", who=SIGNED_IN, own=RIVAL | LOST),
    "invoices/<int:invoice_id>/": Address(path="/invoices/{invoice}/", who=OF_ACME, refusal=404),
    "invoices/<int:invoice_id>/statement.pdf": Address(
        path="/invoices/{invoice}/statement.pdf", who=OF_ACME, refusal=404
    ),
    "invoices/<int:invoice_id>/lines.csv": Address(path="/invoices/{invoice}/lines.csv", who=OF_ACME, refusal=404),
    "invoices/<int:invoice_id>/lines/<int:position>/": Address(path="/invoices/{invoice}/lines/1/", who=STAFF),
    "invoices/<int:invoice_id>/lines.xlsx": Address(path="/invoices/{invoice}/lines.xlsx", who=OF_ACME, refusal=404),
    "invoices/<int:invoice_id>/document.xml": Address(  # acme has no address, so there is no such file of its invoice
        path="/invoices/{invoice}/document.xml", who=OF_ACME, refusal=404, found=404
    ),
    "usage/": Address(path="/usage/?month=2026-01", who=CUSTOMERS, own=RIVAL),
    "usage/report": Address(
        path="/usage/report?from=2026-01-01&to=2026-01-31&by=day-model&format=csv", who=CUSTOMERS, own=RIVAL
    ),
    "usage/reports": Address(path="/usage/reports", who=CUSTOMERS, own=RIVAL),
    "usage/subscriptions/": Address(path="/usage/subscriptions/", who=CUSTOMERS, methods="GET POST", own=RIVAL),
    "usage/subscriptions/<int:subscription_id>/end": Address(  # one's own, and nobody else's: not a colleague's either
        path="/usage/subscriptions/{subscription}/end", who=frozenset(), methods="POST", hidden=CUSTOMERS
    ),
    "reports/end/<str:token>/": Address(
        path="/reports/end/no-such-token/", who=EVERYBODY, methods="GET POST", found=404, signed=True
    ),
    "statements/": Address(path="/statements/", who=CUSTOMERS, own=RIVAL),
    "statements/<int:statement_id>/": Address(
        path="/statements/{statement}/", who=ACME, methods="GET POST", hidden=RIVAL
    ),
    "statements/<int:statement_id>/statement.<str:form>": Address(
        path="/statements/{statement}/statement.pdf", who=ACME, hidden=RIVAL
    ),
    # Whoever has the mail answers: a link that we did not sign is of nothing.
    "statements/answer/<str:token>/": Address(
        path="/statements/answer/e30:x/",
        who=frozenset(),
        methods="GET POST",
        refusal=404,
        anonymous=404,
    ),
    "leases/": Address(path="/leases/", who=CUSTOMERS, own=RIVAL),
    "balance/": Address(path="/balance/", who=CUSTOMERS, own=RIVAL),
    "budgets/": Address(path="/budgets/", who=CUSTOMERS, own=RIVAL),
    "budgets/add": Address(path="/budgets/add", who=ORGANISERS, methods="POST"),
    "budgets/webhook": Address(path="/budgets/webhook", who=ORGANISERS, methods="POST"),
    "budgets/<int:budget_id>/change": Address(
        path="/budgets/{budget}/change", who=frozenset({"organiser"}), methods="POST", hidden=RIVAL
    ),
    "budgets/<int:budget_id>/remove": Address(
        path="/budgets/{budget}/remove", who=frozenset({"organiser"}), methods="POST", hidden=RIVAL
    ),
    "organisation/": Address(path="/organisation/", who=ORGANISERS, methods="GET POST", own=RIVAL),
    "organisation/<int:user_id>": Address(
        path="/organisation/{user}", who=frozenset({"organiser"}), methods="POST", hidden=RIVAL
    ),
    **{
        f"invoices/<int:invoice_id>/{act}/": Address(
            path=f"/invoices/{{invoice}}/{act}/",
            who=BILLERS,
            methods="GET POST",
            queries=100 if act == "void" else 12,  # it writes the credit note that it shows, and takes it back
        )
        for act in ("mail", "credit", "void", "pay")
    },
    "invoices/<int:invoice_id>/reissue/": Address(path="/invoices/{invoice}/reissue/", who=BILLERS, methods="POST"),
    "payments/<int:payment_id>/reverse/": Address(  # it reverses what it shows, and takes it back
        path="/payments/{payment}/reverse/", who=BILLERS, methods="GET POST", queries=40
    ),
    "today/": Address(path="/today/", who=STAFF, more=("/today/?all=1",)),
    "today/money/": Address(path="/today/money/", who=STAFF),
    "close/": Address(path="/close/", who=STAFF, queries=18),
    "close/<str:month>/": Address(path="/close/2026-01/", who=STAFF, queries=18),
    "close/runs/<int:run_id>/": Address(path="/close/runs/{run}/", who=STAFF),
    "close/<str:month>/draft/": Address(path="/close/2026-01/draft/", who=BILLERS, methods="POST"),
    "close/<str:month>/issue/": Address(path="/close/2026-01/issue/", who=BILLERS, methods="GET POST"),
    # A month that was counted a moment ago is counted again, which asks the books, too.
    "fleet/": Address(path="/fleet/", who=STAFF, queries=16),
    "fleet/<str:month>/": Address(path="/fleet/2026-01/", who=STAFF, queries=16),
    "records/<slug:slug>/": Address(
        path="/records/customers/", who=STAFF, more=tuple(f"/records/{slug}/" for slug in NOUNS)
    ),
    "records/<slug:slug>/<str:key>/": Address(path="/records/customers/{customer}/", who=STAFF),
    "audit/": Address(path="/audit/", who=STAFF),
    "audit/verify/": Address(path="/audit/verify/", who=STAFF, methods="POST"),
    "users/": Address(path="/users/", who=ADMINS, methods="GET POST"),
    "users/<int:user_id>/": Address(path="/users/1/", who=ADMINS),
    "users/<int:user_id>/<slug:action>/": Address(path="/users/1/reset/", who=ADMINS, methods="POST"),
    "nodes/enrol/": Address(path="/nodes/enrol/", who=ADMINS, methods="GET POST"),
    "nodes/rotate/": Address(path="/nodes/rotate/", who=ADMINS, methods="GET POST"),
    "nodes/revoke/": Address(path="/nodes/revoke/", who=ADMINS, methods="POST"),
    "dead-letters/replay/": Address(path="/dead-letters/replay/", who=BILLERS, methods="POST"),
    "dead-letters/replays/<int:position>/": Address(path="/dead-letters/replays/{replay}/", who=STAFF),
    "catalog/": Address(path="/catalog/", who=BILLERS),
    "catalog/preview/": Address(path="/catalog/preview/", who=BILLERS, methods="POST"),
    "catalog/apply/": Address(path="/catalog/apply/", who=BILLERS, methods="POST"),
    "catalog/<slug:name>/": Address(path="/catalog/customer/", who=BILLERS),
    "catalog/<slug:name>/preview/": Address(path="/catalog/customer/preview/", who=BILLERS, methods="POST"),
    "api-keys/": Address(
        path="/api-keys/", who=frozenset({"organiser", "stranger", "admin"}), methods="GET POST", own=RIVAL
    ),
    "api-keys/<int:key_id>/revoke/": Address(
        path="/api-keys/{key}/revoke/", who=frozenset({"organiser", "admin"}), methods="POST", hidden=RIVAL
    ),
    "^api(?:/|$)": Address(path="/api/", who=frozenset(), refusal=404, anonymous=404),
}
"""Route → what is expected of it."""

SCOPES: dict[str, str] = {
    "list_usage": "usage:read",
    "list_months": "usage:read",
    "get_month": "usage:read",
    "list_month_usage": "usage:read",
    "list_month_workloads": "usage:read",
    "list_invoices": "invoices:read",
    "get_invoice": "invoices:read",
    "list_invoice_lines": "invoices:read",
    "get_invoice_file": "invoices:read",
    "list_statements": "statements:read",
    "get_statement": "statements:read",
    "get_statement_file": "statements:read",
    "confirm_statement": "statements:write",
    "dispute_statement": "statements:write",
    "list_payments": "payments:read",
    "list_leases": "leases:read",
    "list_add_ons": "leases:read",
    "list_commitments": "leases:read",
    "get_balance": "balance:read",
    "list_balance_entries": "balance:read",
    "list_month_leased_cards": "usage:read",
    "get_usage_report": "usage:read",
    "list_budgets": "budgets:read",
    "get_budget": "budgets:read",
    "add_budget": "budgets:write",
    "change_budget": "budgets:write",
    "remove_budget": "budgets:write",
    "list_alerts": "budgets:read",
    "get_webhook": "budgets:read",
    "list_deliveries": "budgets:read",
    "list_users": "users:read",
    "list_api_keys": "users:read",
}
"""Operation of the API → the scope it needs."""

QUERY = {
    "list_usage": "?from=2026-01-01T00:00:00Z&to=2026-02-01T00:00:00Z&by=owner",
    "get_usage_report": "?from=2026-01-01&to=2026-01-31&by=day-model&format=csv",
}
BODY: dict[str, object] = {
    "confirm_statement": {"by": "Ada"},
    "dispute_statement": {"lines": [1], "reason": "not ours"},
    "add_budget": {"amount": "100.00"},
    "change_budget": {"amount": "200.00"},
}
"""What an operation must be given to do anything."""

OWN_PATHS = {"get_month", "list_month_usage", "list_month_workloads", "list_month_leased_cards"}
"""Operations whose path names nothing of acme's: another customer has such a thing too."""

NOT_THERE = {"get_webhook", "list_deliveries"}
"""Operations on a thing that a customer may be without, as the other one is."""
