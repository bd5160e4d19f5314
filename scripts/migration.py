"""Write the next file of store/migrations/versions/ from the difference between it and the declared tables.

And newest.sql, which makes a new database of what all migrations together make. `--newest` writes only that.
"""

from __future__ import annotations

import re
import subprocess
import sys
import textwrap
from pathlib import Path

from alembic.autogenerate import produce_migrations, render_python_code
from alembic.migration import MigrationContext
from sqlalchemy import create_engine

import bailiwick.directory.credential_tables
import bailiwick.directory.tables
import bailiwick.trail.tables  # noqa: F401  (each declares its own)
from bailiwick.services import ALL  # noqa: F401  (declares every table)
from bailiwick.store import migrate
from bailiwick.store.schema import metadata

VERSIONS = Path(migrate.__file__).parent / "migrations" / "versions"

HEAD = '''"""{title}. Written by scripts/migration from the declarations; never edited after a release."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "{revision}"
down_revision = "{previous}"


def upgrade() -> None:
'''


def main() -> None:
    if sys.argv[1:] == ["--newest"]:
        write_newest()
        return
    if len(sys.argv) != 2 or not re.fullmatch("[a-z][a-z0-9_]*", sys.argv[1]):
        raise SystemExit("usage: scripts/migration NAME   (small letters and underscores: login_profiles)")
    name, previous = sys.argv[1], migrate.REVISIONS[-1]
    revision = f"{int(previous) + 1:04}"
    with create_engine("sqlite://").begin() as connection:
        migrate.upgrade(connection)
        # SQLite cannot alter a table in place: in a batch, Alembic makes it anew there.
        context = MigrationContext.configure(connection, opts={"render_as_batch": True})
        script = produce_migrations(context, metadata)
        if script.upgrade_ops is None or script.upgrade_ops.is_empty():
            raise SystemExit("the migrations make the declared tables already")
        body = render_python_code(script.upgrade_ops, render_as_batch=True, migration_context=context)
    lines = [line for line in body.splitlines() if not line.lstrip().startswith("#")]
    title = name.replace("_", " ").capitalize()
    text = HEAD.format(title=title, revision=revision, previous=previous)
    text += textwrap.indent(textwrap.dedent("\n".join(lines)).strip("\n"), "    ") + "\n"
    if "sa." not in body:
        text = text.replace("import sqlalchemy as sa\n", "")
    ruff = [sys.executable, "-m", "ruff", "format", "-"]
    done = subprocess.run(ruff, input=text, capture_output=True, text=True, check=True, cwd=VERSIONS.parents[4])
    target = VERSIONS / f"{revision}_{name}.py"
    target.write_text(done.stdout)
    print(f"wrote {target.name}; look at it")
    # In a process of its own: the list of revisions was made when this one began.
    subprocess.run([sys.executable, __file__, "--newest"], check=True)


def write_newest() -> None:
    """Write what makes a new database at once."""
    with create_engine("sqlite://").begin() as connection:
        migrate.upgrade(connection)
        migrate.NEWEST.write_text(migrate.script(connection), encoding="utf-8")


if __name__ == "__main__":
    main()
