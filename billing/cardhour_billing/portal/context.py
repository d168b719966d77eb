"""What every page's frame needs: whose portal it is, and which frame it stands in."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from cardhour_billing.portal.access import customer_of


def frame(request: HttpRequest) -> dict[str, Any]:
    """Context processor. The customer is looked up only by a page that names it."""
    user = getattr(request, "user", None)  # absent where an error comes before the session is read
    if user is None or user.is_anonymous:
        return {"frame": "frame_alone.html", "viewer": None}
    if user.is_staff:
        return {"frame": "frame_staff.html", "viewer": None}
    return {"frame": "frame_customer.html", "viewer": SimpleLazyObject(lambda: customer_of(user))}
