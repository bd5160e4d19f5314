"""`python -m bailiwick` is the installed command."""

from __future__ import annotations

import gc
import sys

gc.disable()  # modules make little garbage, and looking for it takes a tenth of the time to import them

if sys.argv[1:2] == ["agent"]:  # which is small, and stays so
    from bailiwick.app.agent.command import installed as main
else:
    from bailiwick.app.start import main

gc.enable()

if __name__ == "__main__":
    main()
