"""Subscriptions to the monthly usage report: made and ended by their owner, in the portal or by the link in a letter.

Owns what can be subscribed to, and the link that ends a subscription without signing in. Does not own sending
(``mailing``). The link is signed and says nothing but the subscription's number; it ends that one and does no more.
"""

from __future__ import annotations

from django.contrib.auth.models import User
from django.core import signing
from django.db import transaction
from django.db.models import QuerySet
from django.urls import reverse

from cardhour_billing.audit.log import audit
from cardhour_billing.logins.users import customer_of_login
from cardhour_billing.models import Customer, ReportSubscription
from cardhour_billing.month import local_day, month_of
from cardhour_billing.usage_report.order import GROUPINGS
from cardhour_contract.clock import Clock
from cardhour_contract.errors import Refuse

FORMS = ("csv", "xlsx")
LANGUAGES = ("en", "zh-hans")
EACH_MAX = 5
"""Subscriptions of one login."""
SALT = "cardhour.report"


def subscribe(
    login: User, *, grouping: str, form: str, language: str, clock: Clock, who: str
) -> tuple[ReportSubscription, bool]:
    """Send ``login`` the report of each month from the present one on; and whether it is new."""
    customer = customer_of_login(login)
    problems = []
    if customer is None:
        raise Refuse(f"{login.username} belongs to no customer, whose usage could be reported")
    if not login.email:
        problems.append("your login has no e-mail address: set one on your profile page first")
    if grouping not in GROUPINGS:
        problems.append(f"'{grouping}' is no grouping: use one of {', '.join(GROUPINGS)}")
    if form not in FORMS:
        problems.append(f"'{form}' is no format of a report by mail: use one of {', '.join(FORMS)}")
    if language not in LANGUAGES:
        problems.append(f"'{language}' is no language of letters: use one of {', '.join(LANGUAGES)}")
    if problems:
        raise Refuse(*problems)
    with transaction.atomic():
        User.objects.select_for_update().get(pk=login.pk)
        if ReportSubscription.objects.filter(user=login).count() >= EACH_MAX:
            raise Refuse(f"{login.username} has {EACH_MAX} subscriptions: end one first")
        made, new = ReportSubscription.objects.get_or_create(
            user=login,
            grouping=grouping,
            form=form,
            defaults={
                "language": language,
                "since": str(month_of(local_day(clock.now_ms(), customer.timezone))),
                "created_at_ms": clock.now_ms(),
            },
        )
        if new:
            audit(clock, who, "report.subscribe", login.username, {"grouping": grouping, "format": form})
    return made, new


def unsubscribe(subscription: ReportSubscription, *, clock: Clock, who: str) -> None:
    """Send it no more. What was sent stays in the log."""
    with transaction.atomic():
        detail = {"grouping": subscription.grouping, "format": subscription.form}
        audit(clock, who, "report.unsubscribe", subscription.user.get_username(), detail)
        subscription.delete()


def subscriptions() -> QuerySet[ReportSubscription]:
    """Every one, with its owner and what ``customer_of_login`` needs."""
    return ReportSubscription.objects.select_related("user__portal_user__customer__issuer").order_by("id")


def customer_of(subscription: ReportSubscription) -> Customer | None:
    """Whose usage it is of; none where its owner belongs to no customer any more."""
    return customer_of_login(subscription.user)


def find_subscription(number: int) -> ReportSubscription:
    """The subscription of that number."""
    found = subscriptions().filter(pk=number).first()
    if found is None:
        raise Refuse(f"there is no subscription {number}: cardhour report-mail list shows those there are")
    return found


def end_path(subscription: ReportSubscription) -> str:
    """Where it ends, for whoever has the letter."""
    return reverse("report-end", args=(signing.dumps(subscription.pk, salt=SALT),))


def of_link(token: str) -> tuple[bool, ReportSubscription | None]:
    """Whether a link is ours, and the subscription that it ends, if that is still there."""
    try:
        number = signing.loads(token, salt=SALT)
    except signing.BadSignature:
        return False, None
    return True, subscriptions().filter(pk=number).first()
