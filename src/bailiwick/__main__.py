"""`python -m bailiwick` is the installed command."""

from __future__ import annotations

from bailiwick.app.cli import main

if __name__ == "__main__":
    main()
