"""Errors about accounts: login, rights, quotas, links and mail."""

from storage.domain.errors.base_error import TranscriberError
from storage.domain.translation import gettext as _


class NotSignedIn(TranscriberError):
    """The request has no valid session, key or token."""

    status, code = 401, "not_signed_in"

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return _("{reason}; log in, or send a valid key as `Authorization: Bearer …`", reason=_(self.reason))


class NotAllowed(TranscriberError):
    """The user is logged in, but this needs another role or owner."""

    status, code = 403, "not_allowed"

    def __init__(self, action: str, needs: str) -> None:
        super().__init__(action, needs)
        self.action, self.needs = action, needs

    def __str__(self) -> str:
        return _("{action} requires {needs}; ask an administrator", action=_(self.action), needs=_(self.needs))


class ScopeMissing(TranscriberError):
    """The API key lacks the scope that the request needs."""

    status, code = 403, "scope_missing"

    def __init__(self, needed: str, has: tuple[str, ...]) -> None:
        super().__init__(needed, has)
        self.needed, self.has = needed, has

    def __str__(self) -> str:
        return _(
            "this needs the scope `{needed}`; the key has {has}: use a key with that scope",
            needed=self.needed,
            has=", ".join(self.has),
        )


class KeyLimitExceeded(TranscriberError):
    """An API key asks for a key with more than itself."""

    status, code = 403, "key_limit_exceeded"

    def __init__(self, limit: str, most: str) -> None:
        super().__init__(limit, most)
        self.limit, self.most = limit, most

    def __str__(self) -> str:
        return _(
            "this key has the limit `{limit}` ({most}), and so must a key that it creates or rotates; give one "
            "within it, or log in to the app",
            limit=self.limit,
            most=self.most,
        )


class KeyNotFromHere(TranscriberError):
    """The API key is used from an address outside of its networks."""

    status, code = 403, "address_not_allowed"

    def __init__(self, address: str) -> None:
        super().__init__(address)
        self.address = address

    def __str__(self) -> str:
        return _(
            "this key may not be used from {address}; use it in its networks, or create one for this address",
            address=self.address,
        )


class PasswordMustChange(TranscriberError):
    """The user logged in with a first password, and must change it before anything else."""

    status, code = 403, "password_must_change"

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name

    def __str__(self) -> str:
        return _("{name} must choose a new password first; log in to the app, which asks for one", name=self.name)


class CrossSite(TranscriberError):
    """A page of another site sent this request."""

    status, code = 403, "cross_site"

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path

    def __str__(self) -> str:
        return _(
            "{path} was requested by a page of another site; use the app's own pages, or an API key. Behind a proxy, "
            "forward the Host header unchanged",
            path=self.path,
        )


class NeedsHttps(TranscriberError):
    """A login over http whose Secure cookie the browser would drop."""

    status, code = 403, "needs_https"

    def __init__(self, public_url: str | None) -> None:
        super().__init__(public_url)
        self.public_url = public_url

    def __str__(self) -> str:
        return _(
            "browsers keep a login only over https; open {address} to log in",
            address=self.public_url or _("the https address"),
        )


class TooManyOpen(TranscriberError):
    """One session or key has too many pages or event streams open."""

    status, code = 429, "too_many_open"

    def __init__(self, most: int) -> None:
        super().__init__(most)
        self.most = most

    def __str__(self) -> str:
        return _("{most} connections of this login are open; close some pages", most=self.most)


class TooManyFromAddress(TranscriberError):
    """One address has too many requests and pages open through proxies."""

    status, code, transient = 429, "too_many_from_address", True

    def __init__(self, most: int) -> None:
        super().__init__(most)
        self.most = most

    def __str__(self) -> str:
        return _("{most} connections of your address are open; close some pages", most=self.most)


class UnknownHost(TranscriberError):
    """The request names a host that is none of this server's names."""

    status, code = 421, "unknown_host"

    def __init__(self, host: str, public_url: str | None) -> None:
        super().__init__(host, public_url)
        self.host, self.public_url = host, public_url

    def __str__(self) -> str:
        instead = _("open {public_url}", public_url=self.public_url) if self.public_url else _("use its own name")
        return _(
            "this server is not called {host}; {instead}, or list the name in TRANSCRIBER_ALLOWED_HOSTS",
            host=repr(self.host),
            instead=instead,
        )


class TooManyTries(TranscriberError):
    """Too many failed logins from one client or for one name."""

    status, code, transient = 429, "too_many_tries", True

    def __init__(self, wait_s: int) -> None:
        super().__init__(wait_s)
        self.wait_s = wait_s

    def __str__(self) -> str:
        return _("too many failed attempts; wait {wait_s} seconds, then try again", wait_s=self.wait_s)


class RateLimited(TranscriberError):
    """One caller sent too many requests of a class."""

    status, code, transient = 429, "rate_limit_exceeded", True

    def __init__(self, kind: str, amount: int, window_s: int, wait_s: int) -> None:
        super().__init__(kind, amount, window_s, wait_s)
        self.kind, self.amount, self.window_s, self.wait_s = kind, amount, window_s, wait_s

    def __str__(self) -> str:
        return _(
            "more than {amount} requests of the class {kind} came within {window_s} seconds; wait {wait_s} seconds, "
            "then try again",
            amount=self.amount,
            kind=self.kind,
            window_s=self.window_s,
            wait_s=self.wait_s,
        )


class LinkSpent(TranscriberError):
    """A single-use link that is used, revoked, expired or unknown."""

    status, code = 410, "link_spent"

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what

    def __str__(self) -> str:
        return _(
            "this {what} link was used or revoked, or has expired; ask an administrator for a new one",
            what=_(self.what),
        )


class RegistrationClosed(TranscriberError):
    """Registration is closed, or needs an invitation."""

    status, code = 403, "registration_closed"

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return _("{reason}; ask an administrator for an account", reason=_(self.reason))


class SpaceUsedUp(TranscriberError):
    """The user's recordings would exceed the storage quota."""

    status, code = 413, "space_used_up"

    def __init__(self, stored_bytes: int, more_bytes: int, limit_bytes: int) -> None:
        super().__init__(stored_bytes, more_bytes, limit_bytes)
        self.stored_bytes, self.more_bytes, self.limit_bytes = stored_bytes, more_bytes, limit_bytes

    def __str__(self) -> str:
        stored, more, limit = (round(n / 1e6, 1) for n in (self.stored_bytes, self.more_bytes, self.limit_bytes))
        return _(
            "your recordings take {stored:g} of {limit:g} MB, so {more:g} MB more do not fit; delete some, or ask an "
            "administrator for more space",
            stored=stored,
            limit=limit,
            more=more,
        )


class HoursUsedUp(TranscriberError):
    """The user's hours of this month are used up."""

    status, code = 403, "hours_used_up"

    def __init__(self, hours: float, limit_hours: float) -> None:
        super().__init__(hours, limit_hours)
        self.hours, self.limit_hours = hours, limit_hours

    def __str__(self) -> str:
        return _(
            "{hours:.1f} of your {limit_hours:g} hours this month are used up; wait for next month, or ask an "
            "administrator for more hours",
            hours=self.hours,
            limit_hours=self.limit_hours,
        )


class KeyHoursUsedUp(TranscriberError):
    """The hours that an API key may send this month are used up."""

    status, code = 403, "key_hours_used_up"

    def __init__(self, hours: float, limit_hours: float) -> None:
        super().__init__(hours, limit_hours)
        self.hours, self.limit_hours = hours, limit_hours

    def __str__(self) -> str:
        return _(
            "{hours:.1f} of this key's {limit_hours:g} hours this month are used up; wait for next month, or use "
            "another key",
            hours=self.hours,
            limit_hours=self.limit_hours,
        )


class SignInFailed(TranscriberError):
    """The login through a provider failed."""

    status, code = 403, "sign_in_failed"

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return _("the login failed ({reason}); start it again from the login page", reason=self.reason)


class ProviderUnreachable(TranscriberError):
    """The OpenID provider did not respond correctly."""

    status, code, transient = 502, "provider_unreachable", True

    def __init__(self, issuer: str, reason: str) -> None:
        super().__init__(issuer, reason)
        self.issuer, self.reason = issuer, reason

    def __str__(self) -> str:
        return _(
            "{issuer} did not respond correctly ({reason}); try again, or log in with a password",
            issuer=self.issuer,
            reason=self.reason,
        )


class MailNotSent(TranscriberError):
    """The mail server could not be reached, or rejected the mail."""

    status, code, transient = 502, "mail_not_sent", True

    def __init__(self, host: str, reason: str) -> None:
        super().__init__(host, reason)
        self.host, self.reason = host, reason

    def __str__(self) -> str:
        return _(
            "the mail server {host} did not accept the mail ({reason}); check TRANSCRIBER_SMTP_…",
            host=self.host,
            reason=self.reason,
        )
