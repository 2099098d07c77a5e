"""The certificate authorities that our HTTP clients trust."""

from functools import cache
from ssl import SSLContext

import httpx


@cache
def usual_tls() -> SSLContext:
    """Read the certificates that every client trusts once.

    Reading them takes 20 ms, and 3 MB that are freed again. SSL_CERT_FILE and SSL_CERT_DIR name others.
    """
    return httpx.create_ssl_context()
