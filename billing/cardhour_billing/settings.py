"""Django's settings, built from ``cardhour.toml`` and the environment.

Owns the translation into Django's names. Creates no file and opens nothing when imported: the signing key is made
when first used, the store's folder by ``store.open_store``.
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Any

from django.utils.functional import lazystr
from django.utils.translation import gettext_lazy as _

from cardhour_billing.config import BillingConfig, load_config
from cardhour_billing.secret import signing_key

CONFIG: BillingConfig = load_config()
_PORTAL = Path(__file__).parent / "portal"


class _SigningKey:
    def __str__(self) -> str:
        return signing_key(CONFIG.home)


SECRET_KEY = lazystr(_SigningKey())
DEBUG = False
ALLOWED_HOSTS = list(CONFIG.web.allowed_hosts)
USE_TZ = True
TIME_ZONE = "UTC"

INSTALLED_APPS = [
    "cardhour_billing.apps.BillingAppConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django_htmx",
    "django_otp",
    "django_otp.plugins.otp_static",
    "django_otp.plugins.otp_totp",
    "axes",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "cardhour_billing.middleware.content_security_policy",
    "cardhour_billing.api.middleware.problems_for_programs",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "axes.middleware.AxesMiddleware",  # last: it sees the answer of a failed login
]
ROOT_URLCONF = "cardhour_billing.portal.urls"
WSGI_APPLICATION = "cardhour_billing.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [_PORTAL / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "cardhour_billing.portal.context.frame",
            ],
            "libraries": {"portal": "cardhour_billing.portal.tags"},
        },
    },
]

LANGUAGE_CODE = "en"
LANGUAGES = [("en", _("English")), ("zh-hans", _("Simplified Chinese"))]
LOCALE_PATHS = [_PORTAL / "locale"]

STATIC_URL = "/static/"
STATICFILES_DIRS = [
    _PORTAL / "static",
    ("fonts", str(files("justmytype_western_core") / "fonts/ofl/inter")),  # the portal's and the PDF's Latin letters
]
WHITENOISE_USE_FINDERS = True  # pages and fonts are served from the installed packages; nothing is collected first

LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "login"
AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "cardhour_billing.portal.backend.LoginBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
PASSWORD_RESET_TIMEOUT = 3600  # seconds: what is in a mailbox for longer is found by others
OTP_TOTP_ISSUER = "CardHour"
AXES_FAILURE_LIMIT = CONFIG.web.failed_logins_max
AXES_COOLOFF_TIME = CONFIG.web.lockout_minutes / 60
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_RESET_ON_SUCCESS = True
AXES_VERBOSE = False
AXES_LOCKOUT_TEMPLATE = "locked.html"

SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = CONFIG.web.https
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_AGE = 12 * 3600  # seconds: a working day
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if CONFIG.web.https else None
SECURE_SSL_REDIRECT = CONFIG.web.https
SECURE_HSTS_SECONDS = 365 * 24 * 3600 if CONFIG.web.https else 0
# Whether its other subdomains have https, and whether browsers ship the name, is for the owner of the domain to say.
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CSRF_TRUSTED_ORIGINS = [f"https://{host}" for host in ALLOWED_HOSTS if host != "*"] if CONFIG.web.https else []

API_CALLS_PER_MINUTE = CONFIG.web.api_calls_per_minute
CHECK_EINVOICES = CONFIG.billing.check_einvoices

LOGGING_CONFIG = None  # structlog is configured by each command; Django adds no handler of its own


_KEPT = {"CONN_MAX_AGE": 600, "CONN_HEALTH_CHECKS": True}
"""Seconds for which a thread of the portal keeps its connection: a new one costs as much as a small page."""


def postgresql_database(url: str) -> dict[str, Any]:
    from psycopg.conninfo import conninfo_to_dict

    parts = dict(conninfo_to_dict(url))
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": parts.pop("dbname", "cardhour"),
        "USER": parts.pop("user", ""),
        "PASSWORD": parts.pop("password", ""),
        "HOST": parts.pop("host", ""),
        "PORT": str(parts.pop("port", "")),
        "OPTIONS": parts,
        **_KEPT,
    }


def sqlite_database(path: Path) -> dict[str, Any]:
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": path,
        **_KEPT,
        "OPTIONS": {
            # A transaction takes the write lock when it begins, so that what it reads is what it then writes on.
            "transaction_mode": "IMMEDIATE",
            "timeout": 30,  # seconds a writer waits for another: a close of many customers holds the lock briefly each
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;",
        },
    }


DATABASES = {
    "default": postgresql_database(CONFIG.store.url) if CONFIG.on_postgresql else sqlite_database(CONFIG.sqlite_path)
}
