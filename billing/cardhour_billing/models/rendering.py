"""What an issued document looked like when it was issued: bytes that are made once and never again."""

from __future__ import annotations

from django.db import models

from cardhour_billing.models.invoice import Invoice


class RenderedDocument(models.Model):
    """One file of one issued invoice. Insert-only (triggers); a draft has none."""

    class Format(models.TextChoices):
        PDF = "pdf"
        CSV = "csv"
        XML = "xml"
        """EN 16931 in UBL 2.1."""

    invoice = models.ForeignKey(Invoice, on_delete=models.PROTECT, related_name="rendered")
    format = models.CharField(max_length=8, choices=Format.choices)
    content = models.BinaryField()
    sha256 = models.CharField(max_length=64)
    """Of ``content``, 64 hex digits; the audit log has it too."""
    absent_because = models.TextField(blank=True)
    """Why the document cannot be said in this format, where it cannot: there is then no content."""
    rendered_at_ms = models.BigIntegerField()

    class Meta:
        ordering = ("invoice", "format")
        constraints = (models.UniqueConstraint(fields=("invoice", "format"), name="rendered_once"),)

    def __str__(self) -> str:
        return f"{self.invoice_id}.{self.format}"
