"""TLS contexts from logins. Certificates and keys are bytes, on a disk only for the moment that loads them."""

from __future__ import annotations

import ssl
from collections.abc import Sequence

from controller.model import Stalled
from controller.runtime import scratch
from controller.targets.kubernetes.credentials import Login


def tls_context(login: Login, *, protocols: Sequence[str] = ("http/1.1",)) -> ssl.SSLContext:
    """Make the context that a login asks for. Raises Stalled for certificates that can't be used."""
    try:
        context = _trusting(login)
        if login.certificate and login.key:
            _load_pair(context, login.certificate, login.key.reveal())
    except (ssl.SSLError, ValueError) as error:
        raise Stalled(f"{login.server}: its kubeconfig's certificates can't be used: {error}. Renew them.") from error
    context.set_alpn_protocols(list(protocols))
    return context


def _trusting(login: Login) -> ssl.SSLContext:
    if login.ca:  # only this authority, and not the machine's hundred, which cost a megabyte
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(cadata=login.ca.decode("ascii"))
    else:
        context = ssl.create_default_context()
    if not login.is_verified:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _load_pair(context: ssl.SSLContext, certificate: bytes, key: bytes) -> None:
    """Load a pair. The ssl module takes files only: a private directory holds them for that moment."""
    with scratch("tls", in_memory=True) as folder:
        chain, private = folder / "chain", folder / "key"
        chain.write_bytes(certificate)
        private.write_bytes(key)
        context.load_cert_chain(chain, private)
