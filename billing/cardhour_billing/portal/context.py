"""What every page's frame needs: whose portal it is, which frame it stands in, and what whoever looks may do."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest

from cardhour_billing.portal.access import NOTHING, capabilities, customer_of


def frame(request: HttpRequest) -> dict[str, Any]:
    """Context processor: ``frame``, ``viewer`` (the customer who looks), and what one ``may``."""
    user = getattr(request, "user", None)  # absent where an error comes before the session is read
    if user is None or user.is_anonymous:
        return {"frame": "frame_alone.html", "viewer": None, "may": NOTHING}
    if user.is_staff:
        return {"frame": "frame_staff.html", "viewer": None, "may": capabilities(user)}
    return {"frame": "frame_customer.html", "viewer": customer_of(user), "may": capabilities(user)}
