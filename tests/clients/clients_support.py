"""A real server process for real clients: started as a person would, on a data folder of its own."""

from __future__ import annotations

import configparser
import json
import os
import signal
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import boto3
import botocore.config

from ports import free_port

START_SECONDS = 30


class ServerProcess:
    """`bailiwick serve` on a folder: started, killed, started again."""

    def __init__(
        self,
        data: Path,
        workers: int = 1,
        arguments: tuple[str, ...] = (),
        *,
        authority: Path | None = None,
        variables: dict[str, str] | None = None,
        program: tuple[str, ...] = ("-m", "bailiwick"),
    ) -> None:
        """Take, for one that `arguments` give a certificate for localhost, the file of its authority.

        `program` is what Python is told to run.
        """
        self.program = program
        self.authority = authority
        self.variables = variables or {}
        self.data = data
        self.workers = workers
        self.arguments = arguments
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def endpoint(self) -> str:
        return f"https://localhost:{self.port}" if self.authority else f"http://127.0.0.1:{self.port}"

    def start(self) -> ServerProcess:
        with (self.data.parent / "server.log").open("ab") as log:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, *self.program, "serve", "--data", str(self.data)),
                    *("--port", str(self.port), "--workers", str(self.workers), *self.arguments),
                ],
                stdout=log,
                stderr=log,
                env=clean_environment(**self.variables),
                start_new_session=True,
            )
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            assert self.process.poll() is None, (self.data.parent / "server.log").read_text()
            assert time.monotonic() < deadline, "the server did not come up"
            time.sleep(0.02)  # the one place that waits: for another process to open its port
        return self

    def kill(self) -> None:
        """kill -9 to the server and its workers."""
        assert self.process is not None
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(10)

    def stop(self) -> int:
        """End it politely; returns the exit status."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(20)

    def root(self) -> dict[str, str]:
        """The root credentials, read from the file that the server wrote, as boto3 wants them."""
        parser = configparser.ConfigParser()
        parser.read(self.data / "root-credentials")
        return dict(parser["default"])

    def client(self, service: str, credentials: dict[str, str] | None = None, **options: Any) -> Any:
        verify = str(self.authority) if self.authority else None
        return client(self.endpoint, service, credentials or self.root(), verify=verify, **options)

    def _answers(self) -> bool:
        context = ssl.create_default_context(cafile=self.authority) if self.authority else None
        try:
            with urllib.request.urlopen(f"{self.endpoint}/healthz", timeout=1, context=context) as response:
                return bool(response.status == 200)
        except (urllib.error.URLError, OSError):
            return False


def client(
    endpoint: str,
    service: str,
    credentials: dict[str, str],
    region: str = "us-east-1",
    verify: str | None = None,
) -> Any:
    """A boto3 client that sends each request once."""
    return boto3.client(
        service,
        endpoint_url=endpoint,
        region_name=region,
        verify=verify,
        config=botocore.config.Config(retries={"max_attempts": 0}, connect_timeout=5, read_timeout=30),
        **credentials,
    )


def clean_environment(**extra: str) -> dict[str, str]:
    """The environment without what would lead an AWS client or Bailiwick elsewhere."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "BAILIWICK_"))}
    return {**kept, "AWS_EC2_METADATA_DISABLED": "true", **extra}


def keys_of(iam: Any, user: str) -> dict[str, str]:
    """A new access key of a user, as boto3 wants it."""
    key = iam.create_access_key(UserName=user)["AccessKey"]
    return {"aws_access_key_id": key["AccessKeyId"], "aws_secret_access_key": key["SecretAccessKey"]}


def session_of(answer: dict[str, Any]) -> dict[str, str]:
    """The credentials in an STS answer, as boto3 wants them."""
    credentials = answer["Credentials"]
    return {
        "aws_access_key_id": credentials["AccessKeyId"],
        "aws_secret_access_key": credentials["SecretAccessKey"],
        "aws_session_token": credentials["SessionToken"],
    }


def policy(*statements: dict[str, Any]) -> str:
    """A policy document with these statements."""
    return json.dumps({"Version": "2012-10-17", "Statement": statements})
