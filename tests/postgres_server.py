"""A PostgreSQL of one's own, from the distribution's binaries, run as an ordinary user; to be killed at will."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

import psycopg

from ports import free_port


def binaries() -> Path | None:
    """The folder of initdb and postgres, or None where there is no PostgreSQL."""
    found = shutil.which("initdb")
    candidates = [Path(found).parent] if found else []
    candidates += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((folder for folder in candidates if (folder / "initdb").exists()), None)


class PostgresServer:
    """One cluster in a folder of its own, listening on loopback."""

    def __init__(self, *, durable: bool = False) -> None:
        found = binaries()
        assert found is not None
        self._bin = found
        self._user = _ordinary_user()
        self._folder = Path(tempfile.mkdtemp(prefix="bailiwick-pg-"))
        if self._user:
            shutil.chown(self._folder, self._user)
        self._durable = durable
        self.port = free_port()
        self._made = 0
        self._process: subprocess.Popen[bytes] | None = None
        # The locale is not C, so that whatever leans on the database's collation is found out.
        self._run("initdb", "-D", str(self._data), "-U", "bailiwick", "-A", "trust", "-E", "UTF8", "--no-sync")
        self.start()

    @property
    def _data(self) -> Path:
        return self._folder / "data"

    def start(self) -> None:
        """Start it, and return when it answers."""
        options = ["-c", "unix_socket_directories=", "-c", "listen_addresses=127.0.0.1", "-c", f"port={self.port}"]
        if not self._durable:
            options += ["-c", "fsync=off"]
        command = [str(self._bin / "postgres"), "-D", str(self._data), *options]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, user=self._user, cwd="/")
        while True:
            try:
                psycopg.connect(self.url("postgres"), connect_timeout=2).close()
                return
            except psycopg.OperationalError:
                assert self._process.poll() is None, (self._folder / "log").read_text()

    def kill(self) -> None:
        """End it as a crash would."""
        assert self._process is not None
        self._process.send_signal(signal.SIGQUIT)
        self._process.wait()

    def stop(self) -> None:
        """End it as an operator would who does not wait for clients ("fast")."""
        assert self._process is not None
        self._process.send_signal(signal.SIGINT)
        self._process.wait()

    def freeze(self) -> None:
        """Stop all of it where it is: the machine answers, the database does not."""
        self._signal_all(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self._signal_all(signal.SIGCONT)

    def _signal_all(self, number: int) -> None:
        assert self._process is not None
        pid = self._process.pid
        for each in (pid, *map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())):
            os.kill(each, number)

    def end_connections(self) -> None:
        """End every connection to every database, as a proxy or a failover does."""
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"
            )

    def new_database(self) -> str:
        """The URL of a new, empty database."""
        self._made += 1
        name = f"test{self._made}"
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")  # type: ignore[arg-type]
        return self.url(name)

    def url(self, database: str) -> str:
        return f"postgresql://bailiwick@127.0.0.1:{self.port}/{database}"

    def close(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self.kill()
        shutil.rmtree(self._folder)

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self._bin / program), *arguments]
        subprocess.run(command, check=True, capture_output=True, user=self._user, cwd="/")


def _ordinary_user() -> str | None:
    """Whom to run it as: PostgreSQL refuses to be root."""
    if os.getuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            pwd.getpwnam(name)
        except KeyError:
            continue
        return name
    raise RuntimeError("there is no ordinary user to run PostgreSQL as")
