"""How a session's login is read: with its role and its customer, in one query for each page."""

from __future__ import annotations

from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import User

from cardhour_billing.logins.users import logins


class LoginBackend(ModelBackend):
    """Django's own, which asks the store once for all that ``access`` looks at."""

    def get_user(self, user_id: int) -> User | None:
        login = logins().filter(pk=user_id).first()
        return login if login is not None and self.user_can_authenticate(login) else None
