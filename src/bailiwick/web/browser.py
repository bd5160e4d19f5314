"""The sessions of one browser: up to five side by side, of which the first is the one that pages act for.

The cookie holds their secrets, the present one first. A session that is over falls out of it at the next answer.
"""

from __future__ import annotations

from bailiwick.core.message import Header, Request
from bailiwick.directory import web_sessions
from bailiwick.directory.snapshot import Directory
from bailiwick.directory.web_sessions import SignedIn
from bailiwick.store import Store
from bailiwick.web import cookies

COOKIE, STRANGER, NOTICE, STEP = "session", "visitor", "notice", "step"
MOST = 5
_BETWEEN = "."


class Browser:
    """What a request's cookies say, proven."""

    def __init__(self, request: Request, store: Store, directory: Directory, now: float) -> None:
        """Find who is signed in. Raises StoreError."""
        self._request = request
        told = cookies.read(request, COOKIE)
        self._told = told.split(_BETWEEN)[:MOST] if told else []
        self.sessions: list[SignedIn] = []
        if self._told:
            with store.transaction() as transaction:
                found = [(each, web_sessions.living(transaction, each, now)) for each in self._told]
            proven = [web_sessions.proven(directory, secret, row, now) for secret, row in found if row is not None]
            self.sessions = [each for each in proven if each is not None]
            self._note(store, now)
        self.stranger = cookies.read(request, STRANGER)
        self._new_stranger = False

    def _note(self, store: Store, now: float) -> None:
        present = self.present
        if present is not None and web_sessions.needs_note(present.session, now):
            with store.transaction(write=True) as transaction:
                web_sessions.note(transaction, present.session, now)

    @property
    def present(self) -> SignedIn | None:
        """The session that pages act for."""
        return self.sessions[0] if self.sessions else None

    def add(self, made: SignedIn) -> SignedIn | None:
        """Act for a new session; returns the one that had to make place for it: of the same person, or the last."""
        same = [each for each in self.sessions if each.caller.arn == made.caller.arn]
        leaving = same[0] if same else self.sessions[-1] if len(self.sessions) >= MOST else None
        self.sessions = [made, *(each for each in self.sessions if each is not leaving)]
        return leaving

    def choose(self, session_id: str) -> bool:
        """Act for another session of this browser; False if there is none with this id."""
        chosen = [each for each in self.sessions if each.session.id == session_id]
        self.sessions = [*chosen, *(each for each in self.sessions if each.session.id != session_id)]
        return bool(chosen)

    def drop(self, session_id: str) -> None:
        """Forget a session, and those that were switched to from it."""
        gone = (session_id,)
        self.sessions = [
            each for each in self.sessions if each.session.id not in gone and each.session.parent not in gone
        ]

    def form_secret(self, new: str) -> str:
        """What the tokens in this browser's forms are made of: the present session's, or one of its own (`new`)."""
        if self.present is not None:
            return self.present.secret
        if self.stranger is None:
            self.stranger, self._new_stranger = new, True
        return self.stranger

    def headers(self) -> list[Header]:
        """The cookies to set, if they are to change."""
        found, now = [], [each.secret for each in self.sessions]
        if now != self._told:
            seconds = None if now else 0
            found.append(cookies.write(self._request, COOKIE, _BETWEEN.join(now), seconds=seconds))
        if self._new_stranger and self.stranger is not None:
            found.append(cookies.write(self._request, STRANGER, self.stranger))
        return found
