"""The portal as a WSGI application, for ``cardhour up`` and for any WSGI server."""

from __future__ import annotations

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "cardhour_billing.settings")
application = get_wsgi_application()
