"""Who issues, who pays, and who may look. Names and addresses are today's; an invoice freezes its own copy."""

from __future__ import annotations

from django.conf import settings
from django.db import models

KEY_CHARS_MAX = 64
"""Longest id that people choose for a customer, project or issuer: it stands in file names and URLs."""
NAME_CHARS_MAX = 256


class Issuer(models.Model):
    """A legal entity that issues invoices."""

    key = models.CharField(max_length=KEY_CHARS_MAX, unique=True, default="default")
    name = models.CharField(max_length=NAME_CHARS_MAX)
    legal_name = models.CharField(max_length=NAME_CHARS_MAX, blank=True)
    address = models.TextField(blank=True)
    """Lines separated by line breaks."""
    tax_id = models.CharField(max_length=KEY_CHARS_MAX, blank=True)
    country = models.CharField(max_length=2, blank=True)
    """ISO 3166-1 alpha-2."""
    endpoint = models.CharField(max_length=NAME_CHARS_MAX, blank=True)
    """Electronic address, ``scheme:id``."""
    fapiao_item = models.CharField(max_length=NAME_CHARS_MAX, blank=True)
    """What a fapiao calls the goods (项目名称), and their 19-digit code (商品和服务税收分类编码)."""
    fapiao_code = models.CharField(max_length=19, blank=True)
    bank_account_name = models.CharField(max_length=NAME_CHARS_MAX, blank=True)
    bank = models.CharField(max_length=NAME_CHARS_MAX, blank=True)
    bank_account = models.CharField(max_length=NAME_CHARS_MAX, blank=True)
    currency = models.CharField(max_length=3)
    timezone = models.CharField(max_length=KEY_CHARS_MAX)
    number_prefix = models.CharField(max_length=16, default="INV")

    def __str__(self) -> str:
        return self.name


def lock_issuers() -> None:
    """Keep everybody from issuing, and from changing the catalog, until the end of this transaction."""
    list(Issuer.objects.select_for_update().order_by("pk"))


class Customer(models.Model):
    """Who is billed. ``key`` is the id of the catalog."""

    issuer = models.ForeignKey(Issuer, on_delete=models.PROTECT, related_name="customers")
    key = models.CharField(max_length=KEY_CHARS_MAX, unique=True)
    name = models.CharField(max_length=NAME_CHARS_MAX)
    legal_name = models.CharField(max_length=NAME_CHARS_MAX, blank=True)
    address = models.TextField(blank=True)
    tax_id = models.CharField(max_length=KEY_CHARS_MAX, blank=True)
    country = models.CharField(max_length=2, blank=True)
    endpoint = models.CharField(max_length=NAME_CHARS_MAX, blank=True)
    buyer_reference = models.CharField(max_length=KEY_CHARS_MAX, blank=True)
    """What it asks to be quoted on electronic invoices, such as a Leitweg-ID."""
    po_number = models.CharField(max_length=KEY_CHARS_MAX, blank=True)
    language = models.CharField(max_length=8, default="en")
    email = models.TextField(blank=True)
    """Where invoices are sent: addresses separated by line breaks."""
    currency = models.CharField(max_length=3)
    timezone = models.CharField(max_length=KEY_CHARS_MAX)
    prepaid = models.BooleanField(default=False)
    """Looked at each hour: suspended where nothing is left of what was paid ahead."""
    low_balance = models.BigIntegerField(null=True, blank=True)
    """Available money below this is low. Minor units of ``currency``."""
    terms_days = models.PositiveIntegerField(default=30)
    """Days from issue to due date."""
    minimum_invoice = models.BigIntegerField(null=True, blank=True)
    """A month below this is carried forward. Minor units of ``currency``; empty: as ``[billing]`` says."""

    class Meta:
        ordering = ("key",)
        indexes = (models.Index(fields=("name",), name="customer_by_name"),)

    def __str__(self) -> str:
        return self.name


class Project(models.Model):
    """A part of a customer that usage is allocated to; never a line of its own."""

    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="projects")
    key = models.CharField(max_length=KEY_CHARS_MAX)

    class Meta:
        ordering = ("customer", "key")
        constraints = (models.UniqueConstraint(fields=("customer", "key"), name="project_key_unique"),)

    def __str__(self) -> str:
        return self.key


class PortalUser(models.Model):
    """Which customer a login belongs to. Staff are ``is_staff`` and belong to none."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="portal_user")
    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="portal_users")
    is_admin = models.BooleanField(default=False)
    """Manages the logins, API keys and budgets of its organisation."""

    def __str__(self) -> str:
        return f"{self.user} of {self.customer}"


class StaffRole(models.Model):
    """What a login of staff may do beyond looking. Staff without a role look, and no more."""

    class Role(models.TextChoices):
        VIEWER = "viewer"
        """Sees everything, changes nothing."""
        BILLING = "billing"
        """Everything that moves money, too: issuing, credit notes, payments, prices."""
        ADMIN = "admin"
        """Logins, keys and nodes, too."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="staff_role")
    role = models.CharField(max_length=8, choices=Role.choices)

    def __str__(self) -> str:
        return f"{self.user}: {self.role}"
