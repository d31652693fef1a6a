"""Django settings. Everything an installation may choose comes from the environment; the README lists it."""

import ipaddress
import os
import secrets
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import dj_database_url
from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured

from dashboard.audit.chain import read_keys

BASE_DIR = Path(__file__).resolve().parent.parent
VERSION = "0.1.0"
ACT_AS_MODES = ("installation", "user", "impersonate")
SIGN_IN_WAYS = ("link", "oidc", "password", "token")


def _flag(name: str, default: bool = False) -> bool:
    value = os.environ.get(name, "").strip().lower()
    if value in ("", "1", "true", "yes", "on", "0", "false", "no", "off"):
        return default if value == "" else value in ("1", "true", "yes", "on")
    raise ImproperlyConfigured(f"{name} is {value!r}: use 1 or 0.")


def _seconds(name: str, default: float) -> float:
    text = os.environ.get(name, "").strip()
    try:
        value = float(text) if text else default
    except ValueError as error:
        raise ImproperlyConfigured(f"{name} is {text!r}: use a number.") from error
    if value <= 0:
        raise ImproperlyConfigured(f"{name} is {text!r}: it must be above 0.")
    return value


def _days(name: str, default: int) -> float:
    if (days := _seconds(name, default)) > 36_500:
        raise ImproperlyConfigured(f"{name} is {days:g}: use at most 36500 days.")
    return days


def _number(name: str, default: int) -> int:
    value = _seconds(name, default)
    if value != int(value):
        raise ImproperlyConfigured(f"{name} is {value}: use a whole number.")
    return int(value)


def _level(name: str, default: str) -> str:
    """A level of Python's logging, which itself would only say that it can't be set up."""
    value = os.environ.get(name, "").strip().upper() or default
    if value not in (levels := ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")):
        raise ImproperlyConfigured(f"{name} is {value!r}: use {', '.join(levels[:-1])} or {levels[-1]}.")
    return value


def _words(name: str) -> list[str]:
    return [word.strip() for word in os.environ.get(name, "").split(",") if word.strip()]


def _networks(name: str) -> list[str]:
    """Addresses and networks, with commas. A word that is neither would be believed by nobody, and nobody would know."""
    found = []
    for word in _words(name):
        try:
            found.append(str(ipaddress.ip_network(word)))
        except ValueError as error:
            raise ImproperlyConfigured(
                f"{name} has {word!r} ({error}): use addresses or networks such as 10.42.0.0/16, with commas."
            ) from error
    return found


def _plugins(name: str) -> frozenset[str] | None:
    """The names of the plugins that are loaded, with commas; ``on``: all (None), ``off``: none."""
    words = frozenset(_words(name))
    if words <= {"on"}:
        return None
    return frozenset() if words == {"off"} else words


def _audit_keys(name: str) -> dict[str, bytes]:
    """The keys of the file that a setting names; none without one."""
    if not (path := os.environ.get(name, "").strip()):
        return {}
    try:
        return read_keys(Path(path).read_text())
    except (OSError, ValueError) as error:
        raise ImproperlyConfigured(f"{name} names {path}: {error}.") from error


def _by_context(name: str) -> dict[str, str]:
    """``<value>`` for every context (under ""), or ``<context>=<value>``, with commas; contexts as in addresses."""
    found = {}
    for word in _words(name):
        context, equals, value = word.partition("=")
        # No context's slug holds a slash: what comes before this "=" is an address or a path already.
        named = bool(equals) and "/" not in context
        found[context.strip() if named else ""] = value.strip() if named else word
    return found


def _sign_in(name: str) -> tuple[str, ...]:
    """The ways in which people sign in."""
    words = tuple(dict.fromkeys(_words(name))) or ("link",)
    if unknown := [word for word in words if word not in SIGN_IN_WAYS]:
        raise ImproperlyConfigured(
            f"{name} has {unknown[0]!r}: use one or more of {', '.join(SIGN_IN_WAYS)}."
        )
    return words


def _given(name: str, *, wanted: bool) -> str:
    value = os.environ.get(name, "").strip()
    if wanted and not value:
        raise ImproperlyConfigured(f"CLUSTER_UI_SIGN_IN has oidc: set {name} too.")
    return value


def _issuer(name: str, *, wanted: bool) -> str:
    """The address of the OpenID Connect issuer, letter by letter as it calls itself."""
    value = _given(name, wanted=wanted)
    if value and (not value.startswith("https://") or "?" in value or "#" in value):
        raise ImproperlyConfigured(
            f"{name} is {value!r}: use an address such as https://sso.example.com/realm."
        )
    return value


def _scopes(name: str) -> tuple[str, ...]:
    """What the issuer is asked for, with spaces or commas."""
    scopes = os.environ.get(name, "").replace(",", " ").split() or ["openid", "profile", "email"]
    return tuple(dict.fromkeys(["openid", *scopes]))


def _admins(name: str) -> frozenset[str]:
    """Who administers the dashboard (``dashboard/admins.py``)."""
    found = frozenset(_words(name))
    for word in sorted(found):
        if word.startswith("oidc:"):
            raise ImproperlyConfigured(
                f"{name} has {word!r}: whoever came first by that name would be an administrator. Say "
                "oidc-sub:<the issuer's subject> (manage.py user list has it), or group:<a group there>."
            )
        if word in ("oidc-sub:", "group:"):
            raise ImproperlyConfigured(f"{name} has {word!r}: name somebody.")
    return found


def _act_as(name: str) -> dict[str, str]:
    """How people act in clusters: one for every context (under ""), and ``<context>=<mode>``, with commas."""
    found = {"": "installation"} | _by_context(name)
    for mode in found.values():
        if mode not in ACT_AS_MODES:
            raise ImproperlyConfigured(
                f"{name} has {mode!r}: use {', '.join(ACT_AS_MODES)}, or <context>=<one of these>, with commas."
            )
    return found


def _trusting_issuer(name: str, act_as: Mapping[str, str]) -> frozenset[str]:
    """The contexts that are sent the OpenID Connect issuer's token; ``*``: every one. Without a word of it, the context
    that alone is named as one where people act with their own token.
    """
    own = [context for context, mode in act_as.items() if mode == "user"]
    return frozenset(_words(name)) or frozenset(own if len(own) == 1 and own[0] else ())


def _urls_by_context(name: str) -> dict[str, str]:
    found = _by_context(name)
    for url in found.values():
        if not url.startswith(("http://", "https://")) or not url.partition("://")[2].strip("/"):
            raise ImproperlyConfigured(
                f"{name} has {url!r}: use an address such as https://prometheus.example:9090, "
                "or <context>=<address>, with commas."
            )
    return found


def _secret_key(home: Path) -> str:
    """The key from the environment, or one made once for this installation and readable by its owner alone."""
    if given := os.environ.get("CLUSTER_UI_SECRET_KEY"):
        return given
    kept = home / "secret-key"
    if not kept.exists():
        fresh = kept.with_suffix(f".{os.getpid()}")
        fresh.touch(mode=0o600)
        fresh.write_text(secrets.token_urlsafe(50))
        try:
            os.link(fresh, kept)  # atomic: of two first starts at once, one wins and both read its key
        except FileExistsError:
            pass
        finally:
            fresh.unlink()
    return kept.read_text()


def _backup_to(folder: Path) -> str:
    """Where backups are; where nothing says so, the folder that ``manage.py run`` made. Inside a cluster it would be
    lost with what it is a backup of.
    """
    set_ = os.environ.get("CLUSTER_UI_BACKUP_TO", "").strip()
    made = folder.is_dir() and "KUBERNETES_SERVICE_HOST" not in os.environ
    return set_ or (str(folder) if made else "")


# Where the installation keeps its database, its key and its sandbox's pointer.
HOME = Path(os.environ.get("CLUSTER_UI_HOME") or BASE_DIR / "var")
HOME.mkdir(parents=True, exist_ok=True, mode=0o700)
SECRET_KEY = _secret_key(HOME)
SECRET_KEY_FALLBACKS = os.environ.get(
    "CLUSTER_UI_SECRET_KEY_FALLBACKS", ""
).split()  # what they sealed is read
DEBUG = False
ALLOWED_HOSTS = ["127.0.0.1", "localhost", "[::1]", *_words("CLUSTER_UI_HOSTS")]
CSRF_TRUSTED_ORIGINS = _words("CLUSTER_UI_ORIGINS")

# True where TLS ends in front of us: cookies become Secure, and http is sent on to https.
HTTPS = _flag("CLUSTER_UI_HTTPS")
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT = HTTPS
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = HTTPS
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if HTTPS else None
# Whose X-Forwarded-For is believed.
CLUSTER_UI_TRUSTED_PROXIES = _networks("CLUSTER_UI_TRUSTED_PROXIES")
SECURE_REDIRECT_EXEMPT = [
    r"^healthz$",
    r"^readyz$",
    r"^metrics$",
]  # probes and scrapes speak http to the pod itself
SECURE_REFERRER_POLICY = "same-origin"
SESSION_ENGINE = "dashboard.sessionstore"
SESSION_COOKIE_NAME = "cluster_ui_session"
SESSION_COOKIE_AGE = int(timedelta(hours=12).total_seconds())
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_HTTPONLY = True
CSRF_USE_SESSIONS = True
CSRF_FAILURE_VIEW = "dashboard.views.errors.csrf_failure"
DEFAULT_EXCEPTION_REPORTER_FILTER = "dashboard.reports.NoValues"
X_FRAME_OPTIONS = "DENY"
LOGIN_URL = "/login/"
LOGIN_REDIRECT_URL = "/"

# A ConfigMap's form holds up to 1 MiB of text as it is and as it was, with a few fields for each of its keys. dashboard/
# edge.py takes no more of a request than this, so nothing of one is ever written to a disk, such as a Secret's value.
DATA_UPLOAD_MAX_MEMORY_SIZE = FILE_UPLOAD_MAX_MEMORY_SIZE = 8 * 2**20
DATA_UPLOAD_MAX_NUMBER_FIELDS = 20_000
DATA_UPLOAD_MAX_NUMBER_FILES = 4_000

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "channels",
    "dashboard",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "dashboard.middleware.refused_at_the_edge",
    "servestatic.middleware.ServeStaticMiddleware",
    "dashboard.middleware.timed",
    "django.middleware.gzip.GZipMiddleware",
    "dashboard.middleware.without_session",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "dashboard.csrf.CsrfMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "dashboard.middleware.session_required",
    "dashboard.middleware.methods_named",
    "dashboard.middleware.forms_only",
]
# `check --deploy` looks for Django's own middleware by its path; `dashboard.csrf.CsrfMiddleware` is a subclass of it.
SILENCED_SYSTEM_CHECKS = ["security.W003"]
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
    }
}

ROOT_URLCONF = "cluster_ui.urls"
ASGI_APPLICATION = "cluster_ui.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "dashboard.templating.LegibleTemplates",
        "NAME": "django",
        "DIRS": [BASE_DIR / "templates"],
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
            "builtins": ["django.templatetags.static"],
            "loaders": [
                (
                    "django.template.loaders.cached.Loader",
                    [
                        "django.template.loaders.filesystem.Loader",
                        "django.template.loaders.app_directories.Loader",
                    ],
                )
            ],
        },
    }
]

DATABASE_SECONDS = 4  # how long anybody waits for a connection, or for what another program has locked
CLUSTER_UI_DATABASE_CONNECTIONS = _number(
    "CLUSTER_UI_DATABASE_CONNECTIONS", 20
)  # of a process, to PostgreSQL

DATABASES: dict[str, Any] = {
    "default": dj_database_url.parse(
        os.environ.get("DATABASE_URL") or f"sqlite:///{HOME / 'cluster-ui.sqlite3'}",
        conn_health_checks=True,
    )
}
if _password_file := os.environ.get("CLUSTER_UI_DATABASE_PASSWORD_FILE"):
    # As container engines hand a secret over: not in an environment that `inspect` shows.
    DATABASES["default"]["PASSWORD"] = Path(_password_file).read_text().strip()
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    # Sessions are in it, as good as a sign-in: it is its owner's alone (SQLite gives -wal and -shm the same mode).
    _path = Path(str(DATABASES["default"]["NAME"]))
    if _path.is_absolute() and not _path.exists() and _path.parent.is_dir():
        _path.touch(mode=0o600)
    DATABASES["default"]["CONN_MAX_AGE"] = 60
    # WAL lets readers go on while one writes; IMMEDIATE takes the write lock at the start of a transaction, where
    # waiting helps, not in its middle, where SQLite can only fail.
    DATABASES["default"]["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": DATABASE_SECONDS,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;",
    }
else:
    # One pool for all threads of a process, bounded: each request has a thread of its own, and would have a connection of
    # its own. libpq's time-outs make a server that is away, or a row that somebody has locked, an error soon.
    DATABASES["default"]["OPTIONS"] = {
        "connect_timeout": DATABASE_SECONDS,
        "tcp_user_timeout": DATABASE_SECONDS * 1000,
        "options": f"-c lock_timeout={DATABASE_SECONDS}s",
        **DATABASES["default"].get("OPTIONS", {}),
        "pool": {
            "min_size": 1,
            "max_size": CLUSTER_UI_DATABASE_CONNECTIONS,
            "max_waiting": 200,
            "timeout": DATABASE_SECONDS,
        },
    }
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

REDIS_URL = os.environ.get("REDIS_URL", "")
# Counters of tries. A full cache forgets the oldest: it holds more than somebody with many addresses can push out.
_counters = {
    "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
    "LOCATION": "process",
    "OPTIONS": {"MAX_ENTRIES": 100_000},
}
CACHES: dict[str, Any] = {
    "process": _counters,
    "seen": {
        "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
        "LOCATION": "seen",
        "OPTIONS": {"MAX_ENTRIES": 10_000},
    },
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": REDIS_URL,
        "OPTIONS": {"socket_timeout": 2, "socket_connect_timeout": 2},
    }
    if REDIS_URL
    else {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"},
}
CACHES["throttle"] = CACHES["default"] if REDIS_URL else _counters
# Long, not to be found in a list, not the name itself: what makes a password hard to guess (NIST SP 800-63B).
AUTH_PASSWORD_VALIDATORS: list[dict[str, Any]] = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 12},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]

LANGUAGE_CODE = "en"
USE_I18N = False
USE_TZ = True
TIME_ZONE = "UTC"
STATIC_URL = "/static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "servestatic.storage.CompressedManifestStaticFilesStorage"},
}
MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"

LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {
            "()": "cluster_ui.logformat.OneLine",
            "format": "{asctime} {levelname} {name}: {message}",
            "style": "{",
        }
    },
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": _level("CLUSTER_UI_LOG_LEVEL", "WARNING")},
    "loggers": {
        "dashboard": {"level": _level("CLUSTER_UI_LOG_LEVEL", "INFO")},
        # The audit's anchor outside the database: its lines are there whatever the level is.
        "dashboard.audit": {"level": "INFO"},
        # At DEBUG it writes a template's whole context, so a revealed value too, whenever a variable is not there.
        "django.template": {"level": "INFO"},
        # At DEBUG they write what a sign-in sends and gets.
        **{name: {"level": "WARNING"} for name in ("authlib", "httpx2", "httpcore2", "joserfc")},
        # A foreign Host header is answered with 400. Anybody can send one: no traceback for it.
        "django.security.DisallowedHost": {"level": "CRITICAL"},
    },
}

# --- Cluster UI's own ---
CLUSTER_UI_READ_ONLY = _flag("CLUSTER_UI_READ_ONLY")
CLUSTER_UI_PRODUCTION = _words("CLUSTER_UI_PRODUCTION")  # contexts, or patterns of their names
CLUSTER_UI_SIGN_IN = _sign_in("CLUSTER_UI_SIGN_IN")
CLUSTER_UI_OIDC_ISSUER = _issuer("CLUSTER_UI_OIDC_ISSUER", wanted="oidc" in CLUSTER_UI_SIGN_IN)
CLUSTER_UI_OIDC_CLIENT_ID = _given("CLUSTER_UI_OIDC_CLIENT_ID", wanted="oidc" in CLUSTER_UI_SIGN_IN)
CLUSTER_UI_OIDC_CLIENT_SECRET_FILE = os.environ.get("CLUSTER_UI_OIDC_CLIENT_SECRET_FILE", "").strip()
CLUSTER_UI_OIDC_CA_FILE = os.environ.get("CLUSTER_UI_OIDC_CA_FILE", "").strip()
CLUSTER_UI_OIDC_NAME = os.environ.get("CLUSTER_UI_OIDC_NAME", "").strip()
CLUSTER_UI_OIDC_SCOPES = _scopes("CLUSTER_UI_OIDC_SCOPES")
CLUSTER_UI_OIDC_USERNAME_CLAIM = (
    os.environ.get("CLUSTER_UI_OIDC_USERNAME_CLAIM", "").strip() or "preferred_username"
)
CLUSTER_UI_OIDC_GROUPS_CLAIM = os.environ.get("CLUSTER_UI_OIDC_GROUPS_CLAIM", "").strip() or "groups"
CLUSTER_UI_ADMINS = _admins("CLUSTER_UI_ADMINS")
CLUSTER_UI_ACCESS_CONTACT = os.environ.get("CLUSTER_UI_ACCESS_CONTACT", "").strip()
CLUSTER_UI_ACT_AS = _act_as("CLUSTER_UI_ACT_AS")  # by context; under "" for all others
CLUSTER_UI_OIDC_CONTEXTS = _trusting_issuer("CLUSTER_UI_OIDC_CONTEXTS", CLUSTER_UI_ACT_AS)
CLUSTER_UI_NAMESPACES = tuple(_words("CLUSTER_UI_NAMESPACES"))  # where namespaces cannot be listed
CLUSTER_UI_IDLE_SECONDS = _seconds("CLUSTER_UI_IDLE_SECONDS", 300)  # a watch nobody looks at any more
CLUSTER_UI_DEBUG_IMAGES = _words("CLUSTER_UI_DEBUG_IMAGES")  # the first is the default
CLUSTER_UI_SANDBOX = os.environ.get("CLUSTER_UI_SANDBOX", "cluster-ui")  # the sandbox's name
CLUSTER_UI_TIMELINE = _flag(
    "CLUSTER_UI_TIMELINE", default=True
)  # whether what changed is recorded, for a day
CLUSTER_UI_TIMELINE_DAYS = _days("CLUSTER_UI_TIMELINE_DAYS", 1)
# Whether all objects are recorded, hour by hour and change by change, so that pages show the past.
CLUSTER_UI_REWIND = _flag("CLUSTER_UI_REWIND", default=True)
CLUSTER_UI_REWIND_DAYS = _days("CLUSTER_UI_REWIND_DAYS", 7)
CLUSTER_UI_REWIND_MIB = _number("CLUSTER_UI_REWIND_MIB", 512)  # of a cluster
CLUSTER_UI_AUDIT_DAYS = _days("CLUSTER_UI_AUDIT_DAYS", 365)
CLUSTER_UI_AUDIT_KEYS = _audit_keys("CLUSTER_UI_AUDIT_KEY_FILE")
CLUSTER_UI_AUDIT_SIGNED_FROM = HOME / "audit-signed-from"  # written with the first signature
# Whether the installation's account reads ConfigMaps that were changed elsewhere; what changes made here found and
# made is kept anyway. Who writes one more often than so many times an hour is left out.
CLUSTER_UI_CONFIGMAP_VERSIONS = _flag("CLUSTER_UI_CONFIGMAP_VERSIONS")
CLUSTER_UI_CONFIGMAP_VERSIONS_HOURLY = _number("CLUSTER_UI_CONFIGMAP_VERSIONS_HOURLY", 12)
CLUSTER_UI_CONFIGMAP_VERSIONS_DAYS = _days("CLUSTER_UI_CONFIGMAP_VERSIONS_DAYS", 30)
CLUSTER_UI_CONFIGMAP_VERSIONS_KEPT = _number("CLUSTER_UI_CONFIGMAP_VERSIONS_KEPT", 50)
CLUSTER_UI_CONFIGMAP_VERSIONS_MIB = _number("CLUSTER_UI_CONFIGMAP_VERSIONS_MIB", 10)
CLUSTER_UI_USAGE_SECONDS = _seconds(
    "CLUSTER_UI_USAGE_SECONDS", 3600
)  # how long sampling outlives its last viewer
CLUSTER_UI_PLUGINS = _plugins("CLUSTER_UI_PLUGINS")
CLUSTER_UI_PROMETHEUS_URL = _urls_by_context("CLUSTER_UI_PROMETHEUS_URL")
CLUSTER_UI_BACKUPS = HOME / "backups"
CLUSTER_UI_BACKUP_TO = _backup_to(CLUSTER_UI_BACKUPS)
# Public keys of age or SSH, to which backups are encrypted that the command is given no --recipient for, or a page makes.
CLUSTER_UI_BACKUP_RECIPIENTS = _words("CLUSTER_UI_BACKUP_RECIPIENTS")
CLUSTER_UI_BACKUP_IDENTITY_FILE = os.environ.get("CLUSTER_UI_BACKUP_IDENTITY_FILE", "").strip()
CLUSTER_UI_METRICS_TOKEN_FILE = os.environ.get("CLUSTER_UI_METRICS_TOKEN_FILE", "").strip()
CLUSTER_UI_PROMETHEUS_TOKEN_FILE = _by_context("CLUSTER_UI_PROMETHEUS_TOKEN_FILE")
