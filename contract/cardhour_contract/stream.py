"""Reaching Kafka: what agent and ingest alike check, ask for and say before a client of theirs is made.

Owns the checks of ``[stream]``, the options that every client needs, and a first knock at the brokers' door. Does not
own any client: each side has its own module for that. The knock is there because a client that cannot get in only
says, after seconds of trying, that it timed out, and leaves its sockets behind.
"""

from __future__ import annotations

import socket
import ssl
from typing import Any

from cardhour_contract.errors import Refuse, Retry
from cardhour_contract.settings import StreamSettings

PROTOCOLS = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")

REACH_S = 3
"""How long one broker may take to accept a connection, and to agree on TLS."""


def problems_of(stream: StreamSettings) -> list[str]:
    """Every contradiction in ``[stream]``, with what to write instead."""
    if stream.kind not in ("spool", "kafka"):
        return [f"[stream] kind is '{stream.kind}': write spool or kafka"]
    if stream.kind == "spool":
        return []
    found = [] if stream.bootstrap_servers else ["bootstrap_servers names no broker: add host:port"]
    found += [f"bootstrap_servers: '{each}' is not host:port" for each in stream.bootstrap_servers if not _place(each)]
    if stream.security_protocol not in PROTOCOLS:
        found.append(f"security_protocol is '{stream.security_protocol}': write one of {', '.join(PROTOCOLS)}")
    elif stream.security_protocol.startswith("SASL") and not (stream.username and stream.password):
        found.append(f"security_protocol is {stream.security_protocol}: give username and password")
    if stream.security_protocol.startswith("SASL") and stream.sasl_mechanism not in MECHANISMS:
        found.append(f"sasl_mechanism is '{stream.sasl_mechanism}': write one of {', '.join(MECHANISMS)}")
    if stream.certificate_file and not stream.key_file:
        found.append("certificate_file goes with key_file: name the key of that certificate")
    return [f"[stream] {each}" for each in found]


def client_options(stream: StreamSettings) -> dict[str, Any]:
    """What consumers, producers and admin clients are told alike."""
    options: dict[str, Any] = {
        "bootstrap_servers": list(stream.bootstrap_servers),
        "security_protocol": stream.security_protocol,
        "ssl_cafile": stream.ca_file or None,
        "ssl_certfile": stream.certificate_file or None,
        "ssl_keyfile": stream.key_file or None,
    }
    if stream.security_protocol.startswith("SASL"):
        options |= {
            "sasl_mechanism": stream.sasl_mechanism,
            "sasl_plain_username": stream.username,
            "sasl_plain_password": stream.password.reveal(),
        }
    return options


def knock(stream: StreamSettings) -> None:
    """Return once one broker accepts a connection, and TLS where it is asked for.

    Raises Refuse for what only a person can mend (files, certificates), Retry where nobody answers.
    """
    context = _tls(stream) if stream.security_protocol.endswith("SSL") else None
    problem: OSError | None = None
    for server in stream.bootstrap_servers:
        host, port = _place(server) or ("", 0)
        try:
            with socket.create_connection((host, port), timeout=REACH_S) as plain:
                if context is not None:
                    context.wrap_socket(plain, server_hostname=host).close()
                return
        except ssl.SSLCertVerificationError as error:
            raise Refuse(
                f"the certificate of the broker {server} is not to be trusted ({error.verify_message}): [stream]"
                " ca_file must be the authority that signed it, and its name the one in bootstrap_servers"
            ) from error
        except OSError as error:
            problem = error
    raise Retry(f"Kafka at {', '.join(stream.bootstrap_servers)} did not answer: {problem}")


def why_no_bootstrap(stream: StreamSettings) -> str:
    """What to look at where a broker accepts connections and the client gets no further; the client does not say."""
    if stream.security_protocol.startswith("SASL"):
        return f"are username '{stream.username}', its password and sasl_mechanism right?"
    if stream.security_protocol == "SSL":
        return "does the broker ask for a client's certificate, and trust the authority of certificate_file?"
    return "does that listener expect TLS (security_protocol)?"


def _tls(stream: StreamSettings) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=stream.ca_file or None)
        if stream.certificate_file:
            context.load_cert_chain(stream.certificate_file, stream.key_file)
    except (OSError, ssl.SSLError) as error:
        named = ", ".join(filter(None, (stream.ca_file, stream.certificate_file, stream.key_file)))
        raise Refuse(f"[stream] ca_file, certificate_file or key_file cannot be used ({named}): {error}") from error
    return context


def _place(server: str) -> tuple[str, int] | None:
    host, _, port = server.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65_536:
        return None
    return host.strip("[]"), int(port)
