"""OpenID Connect client: authorization code flow with PKCE (OpenID Connect Core 1.0, RFC 7636).

joserfc verifies the ID token's signature with the provider's keys. A login that starts here can end once, in the same
browser, within ten minutes.
"""

import asyncio
import base64
import hashlib
import secrets
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

import httpx
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from storage.domain.errors import ProviderUnreachable, SignInFailed
from storage.domain.settings import OidcSettings
from storage.remote.certificates import usual_tls

ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512"]
"""Signatures verified by the provider's public keys; never `none`, never the client secret."""
WITHIN_S, CLOCKS_APART_S, ANSWER_WITHIN_S = 600.0, 60, 10.0
MAX_BEGUN = 10_000
KEYS_FOR_S = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """A login in progress at the provider; `next_path` is where it ends."""

    state: str
    nonce: str
    verifier: str
    redirect_uri: str
    next_path: str
    at_s: float = field(default_factory=time.monotonic)


class Provider:
    """A provider, and the logins in progress there."""

    def __init__(self, settings: OidcSettings, *, within_s: float = WITHIN_S) -> None:
        self.settings, self.within_s = settings, within_s
        self._begun: OrderedDict[str, Begun] = OrderedDict()
        self._described: tuple[dict[str, Any], KeySet] | None = None
        self._described_at = 0.0
        self._describing = asyncio.Lock()

    @property
    def issuer(self) -> str:
        return self.settings.oidc_issuer or ""

    async def begin(self, *, redirect_uri: str, next_path: str) -> tuple[str, Begun]:
        """Return the URL of the provider's login, and the state to expect back.

        Raises:
            ProviderUnreachable: the provider's discovery document is not available.
        """
        described, _ = await self._describe()
        begun = Begun(
            state=secrets.token_urlsafe(32),
            nonce=secrets.token_urlsafe(32),
            verifier=secrets.token_urlsafe(48),
            redirect_uri=redirect_uri,
            next_path=next_path,
        )
        self._begun[begun.state] = begun
        while len(self._begun) > MAX_BEGUN:
            self._begun.popitem(last=False)
        asked = {
            "response_type": "code",
            "client_id": self.settings.oidc_client_id,
            "redirect_uri": redirect_uri,
            "scope": self.settings.oidc_scopes,
            "state": begun.state,
            "nonce": begun.nonce,
            "code_challenge": _challenge(begun.verifier),
            "code_challenge_method": "S256",
        }
        where = str(described["authorization_endpoint"])
        return f"{where}{'&' if '?' in where else '?'}{urlencode(asked)}", begun

    def end(self, state: str) -> Begun:
        """Return the login with this state; each can end once.

        Raises:
            SignInFailed: there is none, or it is too old.
        """
        begun = self._begun.pop(state, None)
        if begun is None or time.monotonic() - begun.at_s > self.within_s:
            raise SignInFailed("it took too long, or was finished before")
        return begun

    async def claims(self, code: str, begun: Begun) -> dict[str, Any]:
        """Exchange the code for an ID token, and return its verified claims.

        Raises:
            SignInFailed: the provider rejects the code, or the token is not valid for this login.
            ProviderUnreachable: the provider does not answer.
        """
        described, _ = await self._describe()
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": begun.redirect_uri,
            "code_verifier": begun.verifier,
        }
        told = await self._ask("POST", str(described["token_endpoint"]), form, described)
        token = told.get("id_token")
        if not isinstance(token, str):
            raise SignInFailed(f"the provider refused it: {told.get('error', 'it gave no id token')}")
        return await self._checked(token, begun.nonce)

    async def _checked(self, token: str, nonce: str) -> dict[str, Any]:
        described, keys = await self._describe()
        try:
            try:
                claims = jwt.decode(token, keys, algorithms=ALGORITHMS).claims
            except (JoseError, ValueError):
                described, keys = await self._describe(anew=True)  # the provider may have rotated its keys
                claims = jwt.decode(token, keys, algorithms=ALGORITHMS).claims
            ours = self.settings.oidc_client_id
            jwt.JWTClaimsRegistry(
                leeway=CLOCKS_APART_S,
                iss={"essential": True, "value": described["issuer"]},
                aud={"essential": True, "value": ours},
                sub={"essential": True},
                exp={"essential": True},
                iat={"essential": True},
                nonce={"essential": True, "value": nonce},
            ).validate(claims)
        except (JoseError, ValueError) as error:
            raise SignInFailed(f"the provider's token will not do: {error}") from error
        many = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
        if claims.get("azp", None if many else ours) != ours:
            raise SignInFailed("the provider's token was made for another client")
        return dict(claims)

    async def _describe(self, *, anew: bool = False) -> tuple[dict[str, Any], KeySet]:
        """Return the provider's discovery document and keys, cached for a few seconds."""
        async with self._describing:
            age_s = time.monotonic() - self._described_at
            if self._described and age_s < (1.0 if anew else KEYS_FOR_S):
                return self._described
            described = await self._ask("GET", f"{self.issuer.rstrip('/')}/.well-known/openid-configuration")
            try:
                if str(described["issuer"]).rstrip("/") != self.issuer.rstrip("/"):
                    raise ProviderUnreachable(self.issuer, f"it calls itself {described['issuer']}")
                keys = KeySet.import_key_set(await self._ask("GET", str(described["jwks_uri"])))  # type: ignore[arg-type]
                found = described, keys
                _ = described["authorization_endpoint"], described["token_endpoint"]
            except (KeyError, JoseError, ValueError) as error:
                raise ProviderUnreachable(self.issuer, f"its description lacks {error}") from error
            self._described, self._described_at = found, time.monotonic()
            return found

    async def _ask(
        self, method: str, url: str, form: dict[str, str] | None = None, described: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        auth: httpx.BasicAuth | None = None
        if form is not None:
            form, auth = self._signed(form, described or {})
        try:
            async with httpx.AsyncClient(timeout=ANSWER_WITHIN_S, verify=usual_tls()) as client:
                answer = await client.request(method, url, data=form, auth=auth, headers={"Accept": "application/json"})
            told = answer.json()
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            raise ProviderUnreachable(self.issuer, type(error).__name__) from error
        if not isinstance(told, dict) or answer.status_code >= 500 or (form is None and answer.status_code != 200):
            raise ProviderUnreachable(self.issuer, f"status {answer.status_code}")
        return told

    def _signed(self, form: dict[str, str], described: dict[str, Any]) -> tuple[dict[str, str], httpx.BasicAuth | None]:
        """Add the client authentication that the provider supports."""
        ident, secret = self.settings.oidc_client_id, self.settings.oidc_client_secret
        if secret is None:
            return form | {"client_id": ident}, None
        word = secret.get_secret_value()
        if "client_secret_basic" in described.get("token_endpoint_auth_methods_supported", ["client_secret_basic"]):
            return form, httpx.BasicAuth(quote(ident, safe=""), quote(word, safe=""))
        return form | {"client_id": ident, "client_secret": word}, None


def _challenge(verifier: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
