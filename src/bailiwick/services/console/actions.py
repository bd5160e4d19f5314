"""What people can do on a page of one form: one table, one page. The caller's policies decide, as everywhere.

Beside each form stands the `aws` command that does the same.
"""

from __future__ import annotations

import json
import re
from typing import Any

from bailiwick.api import ApiError
from bailiwick.core.message import Response
from bailiwick.services.console.action import Action, Field
from bailiwick.services.console.actions_iam import IAM
from bailiwick.services.console.actions_kms import KMS
from bailiwick.services.console.commands import command
from bailiwick.web.form import Fields
from bailiwick.web.guard import own_path
from bailiwick.web.pages import Pages
from bailiwick.web.site import Refused
from bailiwick.web.visit import Visit

pages = Pages()

ACTIONS = IAM | KMS
_NUMBER = re.compile("[0-9]{1,12}")


class Unfit(Exception):
    """A field that cannot be read; `str(error)` says which and why."""


@pages.get("/console/do/{slug}")
def form(visit: Visit, slug: str) -> Response:
    """The form of an action; what the address names is fixed."""
    return _form(visit, slug, _action(slug), visit.query, "")


@pages.post("/console/do/{slug}")
def act(visit: Visit, slug: str) -> Response:
    """Do it, and go back to where the person came from."""
    action = _action(slug)
    try:
        members = _members(action, visit.form)
        visit.call(action.service, action.operation, region=visit.form.get("region") or None, **members)
    except (ApiError, Unfit) as error:
        return _form(visit, slug, action, visit.form, str(error), status=400)
    return visit.redirect(_back(action, visit.form), good=action.done)


def _action(slug: str) -> Action:
    if slug not in ACTIONS:
        raise Refused(404, "There is no such page", "Nothing is done at this address.")
    return ACTIONS[slug]


def _form(visit: Visit, slug: str, action: Action, fields: Fields, wrong: str, *, status: int = 200) -> Response:
    try:
        shown = command(action.service, action.operation, _members(action, fields))
    except Unfit:
        shown = command(action.service, action.operation, {})
    fixed = set((fields.get("fixed") or "").split(",")) if "fixed" in fields else set(fields)
    named = [each.name for each in action.fields if each.name in fixed]
    return visit.page(
        "console/action.html",
        status=status,
        slug=slug,
        action=action,
        fields=fields,
        fixed=named,
        wrong=wrong,
        command=shown,
        back=_back(action, fields),
    )


def _back(action: Action, fields: Fields) -> str:
    return own_path(fields.get("back"), action.home)


def _members(action: Action, fields: Fields) -> dict[str, Any]:
    """The members of the operation's input. Raises Unfit."""
    found = {each.name: _value(each, fields) for each in action.fields if not each.name.startswith("_")}
    return {**action.given, **{name: value for name, value in found.items() if value is not None}}


def _value(field: Field, fields: Fields) -> Any:
    text = fields.get(field.name, "")
    if field.kind == "check":
        return text == "on" if field.name in fields or field.is_sent else None
    if not text.strip():
        return None
    if field.kind == "number":
        if not _NUMBER.fullmatch(text.strip()):
            raise Unfit(f"{field.label} must be a number.")
        return int(text)
    if field.kind == "lines":
        return [line.strip() for line in text.splitlines() if line.strip()]
    if field.kind == "tags":
        return _tags(text, field)
    if field.kind == "json":
        try:
            return json.dumps(json.loads(text))
        except (ValueError, RecursionError) as error:
            raise Unfit(f"{field.label} is not JSON: {error}") from None
    return text if field.kind in ("area", "password") else text.strip()


def _tags(text: str, field: Field) -> list[dict[str, str]]:
    tags = []
    for line in text.splitlines():
        key, equals, value = line.partition("=")
        if line.strip() and not equals:
            raise Unfit(f"{field.label}: `{line.strip()[:40]}` is not a key, =, and a value.")
        if line.strip():
            tags.append({field.key_name: key.strip(), field.value_name: value.strip()})
    return tags
