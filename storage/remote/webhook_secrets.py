"""The secrets of webhooks, and signatures with them as Standard Webhooks 1.0 has them.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md. A secret has to be read
again to sign, so a hash is not enough. It is derived from a random key in a file of the data dir, which only the web
process's user may read, with the webhook's id and the number of its rotations. So neither the ledger nor its backups
have anything that signs; whoever restores the ledger elsewhere needs that file, too, or rotates the secrets.
"""

import base64
import hashlib
import hmac
from collections.abc import Sequence
from datetime import datetime

from pydantic import SecretStr

from storage.domain.settings import Settings
from storage.remote.service_tokens import kept

KEY_FILE = "webhook-key"
MARK = "whsec_"


def secret_of(settings: Settings, webhook_id: str, generation: int) -> SecretStr:
    """Return a webhook's secret as its owner gets it: `whsec_` and base64."""
    key = kept(settings.storage.data_dir / KEY_FILE).get_secret_value()
    derived = hmac.digest(key.encode(), f"webhook {webhook_id} {generation}".encode(), hashlib.sha256)
    return SecretStr(MARK + base64.b64encode(derived).decode())


def mark_of(secret: SecretStr) -> str:
    """Return what the ledger keeps, to notice that the key file is another one."""
    return hashlib.sha256(secret.get_secret_value().encode()).hexdigest()


def headers_for(secrets: Sequence[SecretStr], message_id: str, body: bytes, *, now: datetime) -> dict[str, str]:
    """Return the headers of a message, with a signature for each secret."""
    timestamp = str(int(now.timestamp()))
    signatures = [f"v1,{_signature(secret, message_id, timestamp, body)}" for secret in secrets]
    return {
        "webhook-id": message_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(signatures),
    }


def _signature(secret: SecretStr, message_id: str, timestamp: str, body: bytes) -> str:
    key = base64.b64decode(secret.get_secret_value().removeprefix(MARK))
    return base64.b64encode(hmac.digest(key, f"{message_id}.{timestamp}.".encode() + body, hashlib.sha256)).decode()
