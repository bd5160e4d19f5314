"""Write store/migrations/versions/0001_first_light.py from the tables as they are declared."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

from alembic.autogenerate import produce_migrations, render_python_code
from alembic.migration import MigrationContext
from sqlalchemy import create_engine

import bailiwick.directory.tables
import bailiwick.services  # noqa: F401  (declares those of every service)
from bailiwick.store.schema import metadata

TARGET = Path(__file__).parents[1] / "src/bailiwick/store/migrations/versions/0001_first_light.py"

HEAD = '''"""The first tables. Written by scripts/migration from the declarations; never edited after a release."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
'''


def main() -> None:
    with create_engine("sqlite://").connect() as connection:
        script = produce_migrations(MigrationContext.configure(connection), metadata)
    if script.upgrade_ops is None:
        raise SystemExit("there are no tables")
    body = render_python_code(script.upgrade_ops)
    lines = [line for line in body.splitlines() if not line.lstrip().startswith("#")]
    text = HEAD + textwrap.indent(textwrap.dedent("\n".join(lines)).strip("\n"), "    ") + "\n"
    ruff = [sys.executable, "-m", "ruff", "format", "-"]
    done = subprocess.run(ruff, input=text, capture_output=True, text=True, check=True, cwd=TARGET.parents[5])
    TARGET.write_text(done.stdout)
    print(f"wrote {TARGET.name}")


if __name__ == "__main__":
    main()
