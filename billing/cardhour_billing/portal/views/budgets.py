"""Budgets and alerts of a customer, and its webhook with the log of every try. Only its admin changes anything."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from cardhour_billing.budgets.budget import add_budget, change_budget, name_of, remove_budget
from cardhour_billing.budgets.mail import key_of
from cardhour_billing.budgets.view import Standing, standing_of_budgets
from cardhour_billing.config import load_config
from cardhour_billing.models import Budget, BudgetAlert, Customer, CustomerWebhook
from cardhour_billing.money import Money, read_amount
from cardhour_billing.portal.access import capabilities, customer_admin_only, customer_only, own_customer
from cardhour_billing.portal.phrases import in_words
from cardhour_billing.portal.usage_page import BAR_WIDTH, part_percent, text_of
from cardhour_billing.sending.customer_webhook import Told, log_of, remove_webhook, send_test, set_webhook
from cardhour_billing.sending.mailing import fate_of
from cardhour_contract.clock import SystemClock
from cardhour_contract.errors import Refuse

SHOWN = 20
"""Alerts, and events of the log, that the page shows."""


@require_safe
@customer_only
def budgets(request: HttpRequest) -> HttpResponse:
    """What is looked at each hour, what was said, and to whom."""
    return _page(request)


@require_POST
@customer_admin_only
def add(request: HttpRequest) -> HttpResponse:
    """A new budget."""
    customer, form = own_customer(request), request.POST
    try:
        of = form.get("of", "")
        budget = add_budget(
            customer,
            _amount(form, customer),
            kind=Budget.Kind.BALANCE if of == "balance" else Budget.Kind.SPEND,
            project=of.removeprefix("project:") if of.startswith("project:") else "",
            model=of.removeprefix("model:") if of.startswith("model:") else "",
            thresholds=_thresholds(form),
            emails=_emails(form),
            clock=SystemClock(),
            who=request.user.get_username(),
        )
    except Refuse as error:
        return _page(request, problems=error.problems, typed=form, status=422)
    messages.success(request, _("Budget added: it is looked at within the hour.") + f" ({name_of(budget)})")
    return redirect("budgets")


@require_POST
@customer_admin_only
def change(request: HttpRequest, budget_id: int) -> HttpResponse:
    """Another amount, other thresholds or addresses; what it is of stays."""
    customer, form = own_customer(request), request.POST
    budget = get_object_or_404(Budget.objects.select_related("customer"), pk=budget_id, customer=customer)
    try:
        thresholds = budget.thresholds if budget.kind == Budget.Kind.BALANCE else _thresholds(form)
        change_budget(
            budget, amount=_amount(form, customer), thresholds=thresholds, emails=_emails(form), clock=SystemClock(),
            who=request.user.get_username(),
        )  # fmt: skip
    except Refuse as error:
        return _page(request, problems=error.problems, typed=form, changing=budget, status=422)
    messages.success(request, _("Budget changed. A threshold that was said this month is not said again."))
    return redirect("budgets")


@require_POST
@customer_admin_only
def remove(request: HttpRequest, budget_id: int) -> HttpResponse:
    """Look at a budget no more."""
    budget = get_object_or_404(Budget, pk=budget_id, customer=own_customer(request))
    remove_budget(budget, clock=SystemClock(), who=request.user.get_username())
    messages.success(request, _("Budget removed. What it said stays below."))
    return redirect("budgets")


@require_POST
@customer_admin_only
def webhook(request: HttpRequest) -> HttpResponse:
    """Set the webhook; the answer is the only page that has its secret. Or remove it, or send it a test."""
    customer, clock, who = own_customer(request), SystemClock(), request.user.get_username()
    settings, action = load_config().webhook, request.POST.get("action", "set")
    known = CustomerWebhook.objects.filter(customer=customer).select_related("customer").first()
    if action == "remove":
        remove_webhook(customer, clock=clock, who=who)
        messages.success(request, _("Webhook removed: nothing is told to it any more."))
    elif action == "test" and known is not None:
        told = send_test(known, settings, clock)
        if told.delivered:
            messages.success(request, _("The receiver took the test."))
        else:
            messages.error(request, _("The test did not arrive: %(why)s") % {"why": in_words(told.outcome)})
    else:
        try:
            made = set_webhook(customer, request.POST.get("url", "").strip(), settings, clock=clock, who=who)
        except Refuse as error:
            return _page(request, hook_problems=error.problems, typed=request.POST, status=422)
        return _page(request, secret=made.secret)
    return redirect("budgets")


def _amount(form: QueryDict, customer: Customer) -> Money:
    return read_amount(form.get("amount", "").replace(",", "").strip(), customer.currency)


def _thresholds(form: QueryDict) -> list[int]:
    words = form.get("thresholds", "").replace("%", " ").replace(",", " ").replace("，", " ").split()
    if not all(word.isdecimal() for word in words):
        raise Refuse("thresholds: whole percentages such as 80, 100")
    return [int(word) for word in words[:100]]


def _emails(form: QueryDict) -> list[str]:
    return form.get("emails", "").replace(",", " ").replace(";", " ").split()[:100]


def _changing(request: HttpRequest, customer: Customer) -> dict[str, object]:
    """The budget whose fields the form has, where the address names one."""
    number = request.GET.get("change", "")
    if not (number.isascii() and number.isdigit() and len(number) < 18 and capabilities(request.user).organise):
        return {}
    budget = get_object_or_404(Budget, pk=int(number), customer=customer)
    fields = {
        "amount": str(Money(amount=budget.amount, currency=budget.currency)),
        "thresholds": ", ".join(map(str, budget.thresholds)),
        "emails": ", ".join(budget.emails),
    }
    return {"changing": budget, "typed": fields}


def _page(request: HttpRequest, *, status: int = 200, **more: object) -> HttpResponse:
    customer, clock = own_customer(request), SystemClock()
    standings = standing_of_budgets(Budget.objects.select_related("customer").filter(customer=customer), clock)
    hook = CustomerWebhook.objects.filter(customer=customer).first()
    alerts = BudgetAlert.objects.filter(customer=customer)[:SHOWN]
    facts = {
        "section": "budgets",
        "customer": customer,
        "budgets": [_budget(each) for each in standings],
        "alerts": [_alert(each) for each in alerts],
        "hook": hook,
        "log": [_told(each) for each in log_of(hook, clock.now_ms(), SHOWN)] if hook else [],
        "projects": list(customer.projects.values_list("key", flat=True)),
        "models": _models(customer),
    }
    return render(request, "budgets.html", {**facts, **_changing(request, customer), **more}, status=status)


def _models(customer: Customer) -> list[str]:
    """Models that were on its invoices, to choose from."""
    found = customer.invoices.values_list("lines__model", flat=True).distinct()
    return sorted(each for each in found if each)


def _budget(standing: Standing) -> dict[str, object]:
    budget = standing.budget
    balance = budget.kind == Budget.Kind.BALANCE
    share = min(1000, max(0, standing.reached) * 1000 // budget.amount)
    over = standing.reached < budget.amount if balance else standing.reached >= budget.amount
    return {
        "id": budget.pk,
        "kind": budget.kind,
        "project": budget.project,
        "model": budget.model,
        "amount": text_of(budget.amount, budget.currency),
        "reached": text_of(standing.reached, budget.currency) if standing.known else "",
        "percent": "" if balance or not standing.known else part_percent(standing.reached, budget.amount),
        "bar": share * BAR_WIDTH // 1000,
        "over": over and standing.known,
        "thresholds": ", ".join(f"{each}%" for each in budget.thresholds),
        "said": ", ".join(f"{each}%" for each in standing.said),
        "emails": budget.emails,
        "currency": budget.currency,
    }


def _alert(alert: BudgetAlert) -> dict[str, object]:
    fate = fate_of(key_of(alert)).state if alert.emails else ""
    return {
        "period": alert.period,
        "name": alert.name,
        "threshold": alert.threshold,
        "reached": text_of(alert.reached, alert.currency),
        "amount": text_of(alert.amount, alert.currency),
        "currency": alert.currency,
        "at_ms": alert.at_ms,
        "emails": alert.emails,
        "mail": fate,
    }


def _told(told: Told) -> dict[str, object]:
    return {
        "kind": told.event.kind,
        "id": f"evt_{told.event.pk}",
        "event_ms": told.event.at_ms,
        "at_ms": told.at_ms,
        "attempts": told.attempts,
        "status": told.status,
        "outcome": told.outcome,
        "delivered": told.delivered,
        "next_ms": told.next_at_ms,
    }
