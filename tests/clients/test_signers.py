"""Signers that are not botocore: the JavaScript SDK's, on awkward requests, and curl's."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import quote

import pytest
from clients_support import clean_environment
from javascript_support import needs_javascript, node

import bailiwick.testing
from bailiwick import sigv4

KEY = sigv4.Credentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "a-token/with+signs=")
LETTERS = [
    "a",
    "Z",
    "0",
    " ",
    "%",
    "ü",
    "€",
    "𝄞",
    "/",
    "..",
    ".",
    "~",
    "'",
    "(",
    "*",
    "+",
    "&",
    "=",
    "?",
    "#",
    ":",
    "@",
    ",",
]


def awkward(chance: random.Random) -> dict[str, Any]:
    """A request with letters that signers get wrong, in the SDK's own form."""
    word = lambda most: "".join(chance.choice(LETTERS) for _ in range(chance.randrange(most)))  # noqa: E731
    path = "/" + "/".join(quote(word(4), safe="~") for _ in range(chance.randrange(4)))
    return {
        "method": chance.choice(["GET", "POST", "PUT"]),
        "path": path,
        "query": {word(3) + str(n): word(5) for n in range(chance.randrange(4))},
        "headers": {"host": "h.test", "x-amz-meta-a": f"{chance.choice(['x', ' x  y ', '', '1,2'])}", "x-b": "é"},
        "body": word(30),
    }


@pytest.mark.clients
@needs_javascript
def test_what_the_javascript_sdk_signs_is_accepted_and_no_mutation_of_it() -> None:
    chance = random.Random(4)
    requests = [awkward(chance) for _ in range(300)]
    asked = {
        "credentials": {
            "accessKeyId": KEY.access_key_id,
            "secretAccessKey": KEY.secret_access_key,
            "sessionToken": KEY.session_token,
        },
        "service": "toy",
        "region": "eu-west-1",
        "requests": requests,
    }
    signed = node("sign.mjs", given=json.dumps(asked))
    verifier = sigv4.Verifier("toy", {KEY.access_key_id: KEY}.get)
    for request, headers in zip(requests, signed, strict=True):
        fields = [f"{quote(k, safe='-_.~')}={quote(v, safe='-_.~')}" for k, v in request["query"].items()]
        target = request["path"] + ("?" + "&".join(fields) if fields else "")
        # The signer hashes text as UTF-8, so that is what must be on the wire; HTTP decodes it as Latin-1.
        lines = [(name, value.encode().decode("latin-1")) for name, value in headers.items()]
        body = request["body"].encode()
        assert verifier.verify(request["method"], target, lines, body).access_key_id == KEY.access_key_id
        for changed in (
            ("PATCH", target, lines, body),
            (request["method"], target + "x", lines, body),
            (request["method"], target, [*lines, ("x-b", "2")], body),
            (request["method"], target, lines, body + b"x"),
        ):
            with pytest.raises(sigv4.SignatureError):
                verifier.verify(*changed)


@pytest.mark.clients
@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not on this machine")
@pytest.mark.parametrize("service", ["sts", "kms"])
def test_curl_signs_for_us(service: str) -> None:
    with bailiwick.testing.server() as server:
        environment = server.environ()
        key, secret = environment["AWS_ACCESS_KEY_ID"], environment["AWS_SECRET_ACCESS_KEY"]
        command = ["curl", "-sS", "--aws-sigv4", f"aws:amz:eu-west-1:{service}", "-u", f"{key}:{secret}"]
        if service == "sts":
            command += ["--data", "Action=GetCallerIdentity&Version=2011-06-15"]
        else:
            command += [
                "-H",
                "Content-Type: application/x-amz-json-1.1",
                "-H",
                "X-Amz-Target: TrentService.ListKeys",
            ]
            command += ["--data", "{}"]
        done = subprocess.run(
            [*command, server.endpoint_url],
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
            env=clean_environment(NO_PROXY="127.0.0.1"),
        )
        expected = f"<Account>{server.account_id}</Account>" if service == "sts" else '"Keys":[]'
        assert expected in done.stdout


class _Recorder(BaseHTTPRequestHandler):
    """Keeps every request as it arrived."""

    seen: ClassVar[list[tuple[str, str, list[tuple[str, str]], bytes]]] = []

    def _record(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        target = self.requestline.split(" ")[1]  # self.path has lost a second slash at its start
        self.seen.append((self.command, target, list(self.headers.items()), body))
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    do_GET = do_POST = do_PUT = _record

    def log_message(self, *_: object) -> None:
        pass


@pytest.mark.clients
@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not on this machine")
def test_what_curl_signs_on_awkward_paths_is_accepted_and_no_mutation_of_it(tmp_path: Path) -> None:
    # curl 7.88 signs the path as it is written for every service, which is S3's rule and no other's, and does not
    # sort the query, whose fields are in order here.
    chance = random.Random(5)
    _Recorder.seen.clear()
    with ThreadingHTTPServer(("127.0.0.1", 0), _Recorder) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        blocks = []
        for _ in range(60):
            request = awkward(chance)
            query = "&".join(f"k{n}={quote(v, safe='-_.~')}" for n, v in enumerate(request["query"].values()))
            url = f"http://127.0.0.1:{server.server_port}{request['path']}" + (f"?{query}" if query else "")
            lines = [f'url = "{url}"', f'request = "{request["method"]}"', "path-as-is"]
            lines += ['aws-sigv4 = "aws:amz:eu-west-1:s3"', f'user = "{KEY.access_key_id}:{KEY.secret_access_key}"']
            lines += ['header = "x-amz-meta-a: é, 1"', 'header = "Content-Type: text/plain"']
            if request["method"] != "GET":
                body = request["body"].replace("\\", "\\\\").replace('"', '\\"').lstrip("@")
                lines.append(f'data-raw = "{body}"')
            blocks.append("\n".join(lines))
        config = tmp_path / "curl"
        config.write_text("\nnext\n".join(blocks) + "\n")
        command = ["curl", "-sS", "--fail", "-K", str(config)]
        subprocess.run(command, check=True, timeout=60, env=clean_environment(NO_PROXY="127.0.0.1"))
        server.shutdown()
    assert len(_Recorder.seen) == len(blocks)
    key = sigv4.Credentials(KEY.access_key_id, KEY.secret_access_key)
    verifier = sigv4.Verifier("s3", {key.access_key_id: key}.get, rules=sigv4.S3)
    for method, target, headers, body in _Recorder.seen:
        assert verifier.verify(method, target, headers, body).access_key_id == KEY.access_key_id
        for changed in (
            ("PATCH", target, headers, body),
            (method, target + "x", headers, body),
            (method, target, [*headers, ("x-amz-meta-a", "2")], body),
            (method, target, headers, body + b"x"),
        ):
            with pytest.raises(sigv4.SignatureError):
                verifier.verify(*changed)
