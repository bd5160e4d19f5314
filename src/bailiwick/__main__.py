"""`python -m bailiwick` is the installed command."""

from __future__ import annotations

import gc

gc.disable()  # modules make little garbage, and looking for it takes a tenth of the time to import them

from bailiwick.app.start import main  # noqa: E402

gc.enable()

if __name__ == "__main__":
    main()
