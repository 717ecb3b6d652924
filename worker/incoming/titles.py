"""Titles that no page of a MediaWiki can have, and MediaWiki's name for each reason. Pure.

Source: mediawiki/core includes/title/MediaWikiTitleCodec.php, splitTitleString and getTitleInvalidRegex, and
$wgLegalTitleChars. What MediaWiki corrects instead (blanks, marks of direction, the first letter's case) is
accepted, and so is what depends on a wiki's own prefixes.
"""

import re

MOST_BYTES = 255
USERS = {2, 3}
#: Characters that are not legal, and texts that look like the code of a character.
_CHARACTERS = re.compile(r"[\x00-\x1f#<>\[\]{|}\x7f]|%[0-9A-Fa-f]{2}|&(?:[A-Za-z0-9]|[^\x00-\x7f])+;")
#: A step of a path: `.` or `..` between slashes or at an end, unless it is the whole of a longer name.
_STEPS = re.compile(r"(?:^|/)\.\.?(?:/|$)")


def why_forbidden(title: str, namespace: int) -> str | None:
    """MediaWiki's name for why there can be no page *title* (with its prefix) in *namespace*; None if there can."""
    _, colon, rest = title.partition(":")
    name = rest if namespace and colon else title
    if "\ufffd" in title:
        return "title-invalid-utf8"
    if not name.strip(" _"):
        return "title-invalid-empty"
    if _CHARACTERS.search(title):
        return "title-invalid-characters"
    if _STEPS.search(name):
        return "title-invalid-relative"
    if "~~~" in name:
        return "title-invalid-magic-tilde"
    if len(name.encode()) > MOST_BYTES:
        return "title-invalid-too-long"
    # An IPv6 address may begin with two colons.
    return "title-invalid-leading-colon" if name.startswith(":") and namespace not in USERS else None
