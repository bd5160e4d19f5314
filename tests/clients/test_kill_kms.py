"""KMS under kill -9: keys made, rotated, imported, deleted, and all of it sealed anew under another root meanwhile.

Each writer works on keys of its own and notes what was answered; what was in flight when the server died may have
happened or not. After each start every key is in a state that its answers allow, and every ciphertext opens.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError
from clients_support import ServerProcess, clean_environment
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding

from bailiwick.services.kms.rotation import ON_DEMAND_ROTATIONS

pytestmark = [pytest.mark.clients, pytest.mark.slow]

ROUNDS = int(os.environ.get("FAULTS_KILLS") or 3)
LONG = bool(os.environ.get("FAULTS_LONG"))
WRITERS = 3
DIED = (BotoCoreError, ClientError, ResponseParserError)  # the last: killed after the head of the answer


@dataclass
class Key:
    """A key as its writer knows it. `states` are those that it may be in; `rotations` that were acknowledged."""

    arn: str
    material: bytes = b""
    states: set[str] = field(default_factory=lambda: {"Enabled"})
    rotations: int = 0
    ciphertexts: list[tuple[bytes, bytes]] = field(default_factory=list)


class Writer:
    """Works on its keys until the server dies."""

    def __init__(self, server: ServerProcess, seed: int) -> None:
        self._server, self._chance = server, random.Random(seed)
        self.keys: list[Key] = []
        self.done: dict[str, int] = {}
        self.refused: list[Exception] = []

    def work(self, goal: int, enough: threading.Event) -> None:
        kms = self._server.client("kms")
        for _ in range(10_000):
            step = self._chance.choice(
                (self.create, self.bring, self.rotate, self.encrypt, self.remove, self.schedule)
            )
            try:
                step(kms)
            except DIED as error:
                if not _died(error):
                    self.refused.append(error)
                return
            self.done[step.__name__] = self.done.get(step.__name__, 0) + 1
            if sum(self.done.values()) >= goal:
                enough.set()

    def create(self, kms: Any) -> None:
        self._sealed(kms, self._made(kms.create_key()))

    def bring(self, kms: Any) -> None:
        """A key with material of our own."""
        key = self._made(kms.create_key(Origin="EXTERNAL"), {"PendingImport"})
        key.material = self._chance.randbytes(32)
        import_material(kms, key)
        self._sealed(kms, key)

    def rotate(self, kms: Any) -> None:
        key = self._one(lambda key: not key.material and key.rotations < ON_DEMAND_ROTATIONS - 1)
        if key is not None:
            kms.rotate_key_on_demand(KeyId=key.arn)
            key.rotations += 1
            self._sealed(kms, key)

    def encrypt(self, kms: Any) -> None:
        key = self._one(lambda key: True)
        if key is not None:
            self._sealed(kms, key)

    def remove(self, kms: Any) -> None:
        """Delete imported material; sometimes bring it back."""
        key = self._one(lambda key: bool(key.material))
        if key is not None:
            key.states = {"Enabled", "PendingImport"}
            kms.delete_imported_key_material(KeyId=key.arn)
            key.states = {"PendingImport"}
            if self._chance.random() < 0.7:
                import_material(kms, key)

    def schedule(self, kms: Any) -> None:
        key = self._one(lambda key: True)
        if key is not None and self._chance.random() < 0.5:
            key.states = {"Enabled", "PendingDeletion"}
            kms.schedule_key_deletion(KeyId=key.arn, PendingWindowInDays=7)
            key.states = {"PendingDeletion"}

    def _made(self, answer: dict[str, Any], states: set[str] | None = None) -> Key:
        key = Key(answer["KeyMetadata"]["Arn"], states=states or {"Enabled"})
        self.keys.append(key)
        return key

    def _one(self, fits: Any) -> Key | None:
        fitting = [key for key in self.keys if key.states == {"Enabled"} and fits(key)]
        return self._chance.choice(fitting) if fitting else None

    def _sealed(self, kms: Any, key: Key) -> None:
        text = self._chance.randbytes(16)
        key.ciphertexts.append((kms.encrypt(KeyId=key.arn, Plaintext=text)["CiphertextBlob"], text))


def import_material(kms: Any, key: Key) -> None:
    asked = kms.get_parameters_for_import(
        KeyId=key.arn, WrappingAlgorithm="RSAES_OAEP_SHA_256", WrappingKeySpec="RSA_2048"
    )
    public: Any = serialization.load_der_public_key(asked["PublicKey"])
    sha = hashes.SHA256()
    key.states = {"PendingImport", "Enabled"}
    kms.import_key_material(
        KeyId=key.arn,
        ImportToken=asked["ImportToken"],
        EncryptedKeyMaterial=public.encrypt(key.material, padding.OAEP(padding.MGF1(sha), sha, None)),
        ExpirationModel="KEY_MATERIAL_DOES_NOT_EXPIRE",
    )
    key.states = {"Enabled"}


def check(kms: Any, key: Key) -> None:
    """Hold a key against what was answered, and make it usable again. Every ciphertext opens."""
    state = kms.describe_key(KeyId=key.arn)["KeyMetadata"]["KeyState"]
    assert state in key.states, (key.arn, state, key.states)
    if state == "PendingDeletion":
        kms.cancel_key_deletion(KeyId=key.arn)
        kms.enable_key(KeyId=key.arn)
    if state == "PendingImport":
        import_material(kms, key)
    key.states = {"Enabled"}
    if not key.material:
        done = len(kms.list_key_rotations(KeyId=key.arn)["Rotations"])
        assert key.rotations <= done <= key.rotations + 1, "an acknowledged rotation, and at most one in flight"
        key.rotations = done
    for ciphertext, text in key.ciphertexts:
        assert kms.decrypt(CiphertextBlob=ciphertext)["Plaintext"] == text


def root_key(server: ServerProcess, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        _command(server, *arguments),
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def wait_for_values(server: ServerProcess) -> None:
    """Until a rotation has sealed some values anew: it first waits for servers that died to be taken for dead."""
    command = _command(server, "rotate")
    with subprocess.Popen(command, env=clean_environment(), stdout=subprocess.PIPE, text=True) as rotating:
        assert rotating.stdout is not None
        for line in rotating.stdout:
            if ": 0 of" not in line:
                break
        rotating.kill()


def _command(server: ServerProcess, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "bailiwick", "root-key", *arguments, "--data", str(server.data)]


def _died(error: Exception) -> bool:
    """Whether it is the end of the server, and no refusal."""
    return not isinstance(error, ClientError) or error.response["ResponseMetadata"]["HTTPStatusCode"] >= 500


@pytest.mark.timeout(60 * ROUNDS)
def test_no_key_is_lost_and_every_ciphertext_opens(tmp_path: Path) -> None:
    server = ServerProcess(tmp_path / "data", arguments=("--throttling", "off"))
    chance = random.Random(20261125)
    writers = [Writer(server, chance.randrange(1 << 30)) for _ in range(WRITERS)]
    rotated = 0
    for _ in range(ROUNDS):
        server.start()
        kms = server.client("kms")
        for key in [key for writer in writers for key in writer.keys]:
            check(kms, key)
        rotated += root_key(server, "drop").returncode == 0
        root_key(server, "add")  # is refused while the rotation before it is under way
        enough = threading.Event()
        goal = max(sum(writer.done.values()) for writer in writers) + chance.randrange(10, 40)
        threads = [threading.Thread(target=writer.work, args=(goal, enough)) for writer in writers]
        for thread in threads:
            thread.start()
        asked = root_key(server, "rotate", "--no-wait")
        assert asked.returncode == 0, asked.stderr
        if LONG:
            wait_for_values(server)
        assert enough.wait(60)
        server.kill()
        for thread in threads:
            thread.join(60)
            assert not thread.is_alive()
        assert [error for writer in writers for error in writer.refused] == []

    server.start()
    kms = server.client("kms")
    for key in [key for writer in writers for key in writer.keys]:
        check(kms, key)
    done = root_key(server, "rotate")
    assert done.returncode == 0, done.stderr
    for key in [key for writer in writers for key in writer.keys]:
        check(kms, key)
    assert {name for writer in writers for name in writer.done} == {
        *("create", "bring", "rotate", "encrypt", "remove", "schedule")
    }
    print(f"{ROUNDS} kills, {sum(len(w.keys) for w in writers)} keys, {rotated} root keys dropped before the last")
    assert server.stop() == 0
