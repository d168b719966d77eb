"""Logins as letters make them, for the sample books: addresses, an invitation that waits, a report that was mailed.

Owns sample data. The invited login has a known number and a known link, so that its page can be opened.
"""

from __future__ import annotations

import hashlib

from django.contrib.auth.models import User

from cardhour_billing.logins.invitation import GOOD_MS
from cardhour_billing.models import (
    Customer,
    Invitation,
    Mail,
    MailOutcome,
    PortalUser,
    ReportSubscription,
)
from cardhour_billing.month import parse_month
from cardhour_billing.usage_report.mailing import key_of
from cardhour_contract.moment import parse_rfc3339
from tests.portal.books import CUSTOMER
from tests.portal.server import BEGINS

NUMBER, TOKEN = 900, "sample-invitation"
LINK = f"/invitation/OTAw/{TOKEN}/"
"""``OTAw`` is the number as links have it."""


def write() -> None:
    """Write them, after the books."""
    customer, now_ms = Customer.objects.get(key="qinghe"), parse_rfc3339(BEGINS)
    User.objects.filter(username=CUSTOMER).update(email="chen.yi@qinghe.example")
    invited = User.objects.create(pk=NUMBER, username="mei.lin@qinghe.example", email="mei.lin@qinghe.example")
    PortalUser.objects.create(user=invited, customer=customer)
    Invitation.objects.create(
        user=invited, digest=hashlib.sha256(TOKEN.encode()).hexdigest(), invited_at_ms=now_ms,
        expires_at_ms=now_ms + GOOD_MS, who=CUSTOMER,
    )  # fmt: skip
    subscription = ReportSubscription.objects.create(
        user=User.objects.get(username=CUSTOMER), grouping="day-project-model", form="xlsx", language="en",
        since="2026-09", created_at_ms=0,
    )  # fmt: skip
    for month, state, detail in (("2026-09", "sent", "250 2.0.0 kept"), ("2026-10", "refused", "451 try later")):
        at_ms = parse_rfc3339("2026-11-03T02:00:00Z")
        mail = Mail.objects.create(
            customer=customer, key=key_of(subscription, parse_month(month)), round=1, subject=f"usage, {month}",
            recipients=["chen.yi@qinghe.example"], message_id="<1@example.com>", sha256="0" * 64, at_ms=at_ms,
            who="scheduler",
        )  # fmt: skip
        MailOutcome.objects.create(mail=mail, state=state, detail=detail, at_ms=at_ms)
