"""Events of mediawiki.page_change.v1 with random fields: each that the schema knows, told or not, right or wrong."""

import random
import re
from copy import deepcopy
from datetime import timedelta
from typing import Any

from tests.builders import NOON
from tests.worker.announcing.announcements import some_text

Event = dict[str, Any]
KINDS = ["create", "edit", "edit", "edit", "delete", "undelete", "move", "visibility_change"]
VISIBILITY = ("is_content_visible", "is_editor_visible", "is_comment_visible")
#: Stands where it must never come through: in fields that are hidden, or that nobody takes up.
SECRET = "Mallory-whom-nobody-may-see"
FORBIDDEN_IN_TITLES = re.compile(r"[\x00-\x1f\x7f#<>\[\]{|}%&~:.\ufffd]")
#: What a broken sender writes in place of a value.
ODD: list[Any] = [None, "", "x", -1, 2**70, 1.5, True, [], ["x"], {}, {"x": {"x": 1}}, "\x00", "Ω" * 400]


def some_page_change(dice: random.Random) -> Event:
    """An event that keeps to the schema; what may be left out is left out half the time."""
    kind, revision = dice.choice(KINDS), dice.choice([1, 2**32 - 1, dice.randint(1, 2**32 - 1)])
    performer = some_user(dice)
    return with_some(
        dice,
        {
            "$schema": f"/mediawiki/page/change/1.{dice.randint(0, 11)}.0",
            "meta": {
                "domain": "en.wikipedia.org",
                "stream": "mediawiki.page_change.v1",
                "request_id": some_text(dice, 40),
            },
            "dt": some_time(dice),
            "changelog_kind": "update",
            "page_change_kind": kind,
            "wiki_id": dice.choice(["enwiki", "wikidatawiki", "zh_min_nanwiki"]),
            "page": some_page(dice),
            "revision": some_revision(dice, revision, performer),
        },
        performer=performer,
        comment=SECRET,
        prior_state={"revision": some_revision(dice, dice.randint(1, 2**32 - 1), some_user(dice))},
        tags=["mw-private-suspect"],
    )


def some_page(dice: random.Random) -> Event:
    link = with_some(
        dice, {"page_title": "Some_where"}, page_id=9, namespace_id=0, is_redirect=False, interwiki_prefix="de"
    )
    page = {"page_id": dice.randint(1, 2**32 - 1), "page_title": some_title(dice)}
    return with_some(
        dice, page, namespace_id=dice.choice([0, 1, 2, 3000]), is_redirect=dice.random() < 0.5,
        namespace_is_content=dice.random() < 0.5, redirect_page_link=link, wikibase_item_id="Q1",
    )  # fmt: skip


def some_revision(dice: random.Random, number: int, editor: Event) -> Event:
    """What is hidden is secret, though its sender told it."""
    visible = {name: dice.random() < 0.8 for name in VISIBILITY if dice.random() < 0.7}
    shown: dict[str, Any] = {"comment": some_text(dice, 80), "rev_sha1": "0a", "editor": editor}
    if visible.get("is_comment_visible") is False:
        shown["comment"] = SECRET
    if visible.get("is_editor_visible") is False:
        shown["editor"] = editor | {"user_text": SECRET}
    return with_some(
        dice, {"rev_id": number, "rev_dt": some_time(dice)} | visible,
        rev_parent_id=dice.choice([0, dice.randint(1, 2**32 - 1)]), rev_size=dice.randint(0, 2**31 - 1),
        is_minor_edit=dice.random() < 0.5, revert={"method": "undo"}, **shown,
    )  # fmt: skip


def some_user(dice: random.Random) -> Event:
    return with_some(
        dice, {"user_text": some_text(dice, 60)}, user_id=dice.randint(1, 2**32 - 1),
        groups=["*", dice.choice(["user", "temp", "sysop", "patroller", "autoconfirmed"])], is_bot=dice.random() < 0.2,
        is_system=False, is_temp=dice.random() < 0.2, registration_dt=some_time(dice), edit_count=dice.randint(0, 9**6),
        user_central_id=dice.randint(1, 2**40), wiki_id="enwiki", edit_global_count=7, first_edit_dt=some_time(dice),
    )  # fmt: skip


def some_title(dice: random.Random) -> str:
    """One that a page of MediaWiki can have."""
    name = FORBIDDEN_IN_TITLES.sub("", some_text(dice, 100)).encode()[:255].decode(errors="ignore").strip()
    return (name or "A").replace(" ", "_")


def some_time(dice: random.Random) -> str:
    return f"{NOON + timedelta(seconds=dice.randint(0, 10**7)):%Y-%m-%dT%H:%M:%SZ}"


def with_some(dice: random.Random, needed: Event, **further: Any) -> Event:
    return needed | {name: value for name, value in further.items() if dice.random() < 0.5}


def broken(dice: random.Random, event: Event) -> Event:
    """*event* with something odd at a place or two of it, at any depth."""
    for _ in range(dice.randint(1, 2)):
        holder = event
        while True:
            name = dice.choice(sorted(holder))
            if isinstance(holder[name], dict) and holder[name] and dice.random() < 0.8:
                holder = holder[name]
            else:
                break
        holder[name] = deepcopy(dice.choice(ODD))
    return event
