"""Where the audit trail can be exported to by HTTP: a webhook, and a collector of OpenTelemetry logs.

One POST for each batch, in a connection of its own, with a timeout; a redirect is a refusal like any other status
that is not 2xx, so that no answer can send the records elsewhere.
"""

from __future__ import annotations

import hashlib
import hmac
import http.client
import json
import ssl
import time
from collections.abc import Callable
from contextlib import closing
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import structlog

from bailiwick import __version__

log = structlog.get_logger()

_TIMEOUT = 10.0
_MOST_ANSWER = 65536


class Endpoint:
    """An http or https URL that is posted to."""

    def __init__(self, url: str) -> None:
        """Take the URL. Raises ValueError for one that cannot be used."""
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username is not None:
            raise ValueError(f"`{url}` is not an http or https URL without a user")
        self._secure = parts.scheme == "https"
        self._host, self._port = parts.hostname, parts.port
        self._target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")

    def post(self, body: bytes, headers: dict[str, str]) -> bytes:
        """Post JSON; returns the answer. Raises OSError, also for a status that is not 2xx."""
        every = {"content-type": "application/json", "user-agent": f"bailiwick/{__version__}", **headers}
        connection: http.client.HTTPConnection
        if self._secure:
            context = ssl.create_default_context()
            connection = http.client.HTTPSConnection(self._host, self._port, timeout=_TIMEOUT, context=context)
        else:
            connection = http.client.HTTPConnection(self._host, self._port, timeout=_TIMEOUT)
        with closing(connection):
            try:
                connection.request("POST", self._target, body, every)
                answer = connection.getresponse()
                told = answer.read(_MOST_ANSWER)
            except http.client.HTTPException as error:
                raise OSError(f"{self._host} does not speak HTTP: {error}") from error
        if not 200 <= answer.status < 300:
            raise OSError(f"{self._host} answered {answer.status}")
        return told


class WebhookSink:
    """Batches as `{"Records":[...]}`, as CloudTrail's log files are, signed with a shared secret.

    x-bailiwick-signature is `v1=` and the HMAC-SHA256, in hexadecimal digits, of x-bailiwick-timestamp (epoch
    seconds), a full stop, x-bailiwick-delivery, a full stop and the body. A batch that is sent again has the same
    x-bailiwick-delivery.
    """

    name = "webhook"

    def __init__(self, url: str, secret: bytes, now: Callable[[], float] = time.time) -> None:
        """Post to `url`. Raises ValueError."""
        self._endpoint = Endpoint(url)
        self._secret = secret
        self._now = now

    def send(self, records: list[bytes], batch: str) -> None:
        body = b'{"Records":[' + b",".join(records) + b"]}"
        stamp = str(int(self._now()))
        delivery = hashlib.sha256(batch.encode() + b"\n" + str(len(records)).encode()).hexdigest()[:32]
        signed = f"{stamp}.{delivery}.".encode() + body
        self._endpoint.post(
            body,
            {
                "x-bailiwick-timestamp": stamp,
                "x-bailiwick-delivery": delivery,
                "x-bailiwick-signature": "v1=" + hmac.new(self._secret, signed, hashlib.sha256).hexdigest(),
            },
        )

    def close(self) -> None:
        """Nothing stays open."""


class OtlpSink:
    """Records as OpenTelemetry logs: OTLP over HTTP, JSON. Source: OTLP 1.x, `ExportLogsServiceRequest`."""

    name = "otlp"

    def __init__(self, url: str) -> None:
        """Post to `url`, of which the path is usually /v1/logs. Raises ValueError."""
        self._endpoint = Endpoint(url)

    def send(self, records: list[bytes], batch: str) -> None:
        told = self._endpoint.post(json.dumps(otlp_logs(records)).encode(), {})
        try:
            refused = json.loads(told or b"{}").get("partialSuccess", {}).get("rejectedLogRecords", 0)
        except (ValueError, AttributeError):
            return
        if int(refused or 0):  # which OTLP says is not to be sent again
            log.error("the collector refused audit records for good", records=int(refused), batch=batch)

    def close(self) -> None:
        """Nothing stays open."""


def otlp_logs(records: list[bytes]) -> dict[str, Any]:
    """An export request with one log record for each."""
    return {
        "resourceLogs": [
            {
                "resource": {"attributes": _attributes({"service.name": "bailiwick"})},
                "scopeLogs": [
                    {
                        "scope": {"name": "bailiwick.audit", "version": __version__},
                        "logRecords": [_log_record(record) for record in records],
                    }
                ],
            }
        ]
    }


def _log_record(record: bytes) -> dict[str, Any]:
    told = json.loads(record)
    nanoseconds = str(_seconds(told.get("eventTime", "")) * 10**9)
    refused = told.get("errorCode")
    named = {
        "event.name": told.get("eventName"),
        "event.id": told.get("eventID"),
        "cloud.account.id": told.get("recipientAccountId"),
        "cloud.region": told.get("awsRegion"),
        "rpc.service": told.get("eventSource"),
        "client.address": told.get("sourceIPAddress"),
        "user.id": told.get("userIdentity", {}).get("arn"),
        "error.type": refused,
    }
    return {
        "timeUnixNano": nanoseconds,
        "observedTimeUnixNano": nanoseconds,
        "severityNumber": 13 if refused else 9,
        "severityText": "WARN" if refused else "INFO",
        "body": {"stringValue": record.decode()},
        "attributes": _attributes({key: value for key, value in named.items() if value}),
    }


def _attributes(named: dict[str, str]) -> list[dict[str, Any]]:
    return [{"key": key, "value": {"stringValue": str(value)}} for key, value in named.items()]


def _seconds(text: str) -> int:
    try:
        return int(datetime.fromisoformat(text).timestamp())
    except ValueError:
        return 0
