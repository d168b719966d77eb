"""What the money store keeps. One file a noun: who pays (``party``), whose usage is whose (``binding``), what it costs
(``price``, ``contract``), what is charged by time (``lease``), how it is taxed (``tax``), what was billed
(``invoice``), what it looked like (``rendering``), which fapiao were asked for it (``fapiao``), what was paid ahead or
granted (``credit``), what outsiders hear of (``event``), what was mailed (``mail``), what is unbilled
(``provisional``), months as pages show them (``usage``), what the bank says (``bank``), what customers were shown of
their account (``statement``), what cards cost their owner (``cost``), which programs may ask (``api_key``), what a
customer wants to hear of (``budget``), who was invited (``login``), who did what (``operation``).

Amounts are integers of the currency's minor unit, prices integers of 1e-9, instants UTC milliseconds. Issued rows
and facts are insert-only: triggers on SQLite and PostgreSQL refuse what the code should never try.
"""

from __future__ import annotations

from cardhour_billing.models.api_key import ApiAnswer, ApiKey
from cardhour_billing.models.bank import BankLine, BankUse
from cardhour_billing.models.binding import Binding
from cardhour_billing.models.budget import Budget, BudgetAlert, CustomerWebhook, WebhookDelivery
from cardhour_billing.models.contract import Commitment, Contract
from cardhour_billing.models.cost import Cost
from cardhour_billing.models.credit import CreditAccount, CreditEntry, CreditGrant, CreditMovement
from cardhour_billing.models.dunning import Reminder
from cardhour_billing.models.event import Event, EventDelivery
from cardhour_billing.models.fapiao import FapiaoEvent, FapiaoRequest, FapiaoRequestLine
from cardhour_billing.models.invoice import Invoice, InvoiceLine, NumberSeries
from cardhour_billing.models.lease import AddOn, Lease
from cardhour_billing.models.login import Invitation, ResetAsk
from cardhour_billing.models.mail import Mail, MailOutcome
from cardhour_billing.models.month_entry import MonthEntry
from cardhour_billing.models.operation import AuditLog, CloseRun, JobRun
from cardhour_billing.models.party import Customer, Issuer, PortalUser, Project, StaffRole
from cardhour_billing.models.payment import Allocation, Payment
from cardhour_billing.models.price import Price, PriceBook
from cardhour_billing.models.provisional import ProvisionalCharge
from cardhour_billing.models.rendering import RenderedDocument
from cardhour_billing.models.statement import Statement, StatementEvent
from cardhour_billing.models.tax import TaxRule
from cardhour_billing.models.usage import KeptFigures, ReportRun, ReportSubscription, UsageSnapshot

__all__ = [
    "AddOn",
    "Allocation",
    "ApiAnswer",
    "ApiKey",
    "AuditLog",
    "BankLine",
    "BankUse",
    "Binding",
    "Budget",
    "BudgetAlert",
    "CloseRun",
    "Commitment",
    "Contract",
    "Cost",
    "CreditAccount",
    "CreditEntry",
    "CreditGrant",
    "CreditMovement",
    "Customer",
    "CustomerWebhook",
    "Event",
    "EventDelivery",
    "FapiaoEvent",
    "FapiaoRequest",
    "FapiaoRequestLine",
    "Invitation",
    "Invoice",
    "InvoiceLine",
    "Issuer",
    "JobRun",
    "KeptFigures",
    "Lease",
    "Mail",
    "MailOutcome",
    "MonthEntry",
    "NumberSeries",
    "Payment",
    "PortalUser",
    "Price",
    "PriceBook",
    "Project",
    "ProvisionalCharge",
    "Reminder",
    "RenderedDocument",
    "ReportRun",
    "ReportSubscription",
    "ResetAsk",
    "StaffRole",
    "Statement",
    "StatementEvent",
    "TaxRule",
    "UsageSnapshot",
    "WebhookDelivery",
]
