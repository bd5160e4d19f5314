"""The console's pages, all of them: each file of this room has its own."""

from __future__ import annotations

from bailiwick.services.console import (
    access_map,
    actions,
    home,
    identities,
    keys,
    places,
    policies,
    search,
    simulator,
    trail,
)
from bailiwick.web.pages import Pages

pages = Pages()
for room in (home, identities, policies, keys, trail, simulator, access_map, places, search, actions):
    pages.include(room.pages)
