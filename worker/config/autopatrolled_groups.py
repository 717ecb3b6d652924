"""Groups whose members are autopatrolled, for streams with a user's groups but without the patrol status. Pure.

Facts from wikimedia/operations-mediawiki-config @ 349dc0945240, wmf-config/core-Permissions.php `groupOverrides`: which
groups have the right `autopatrol`. A few wikis take it from sysops or bots (bgwiki, bswiki, dewiki, enwiki,
enwikibooks, ruwiki, ukwiki); their settings have to say so.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

#: MediaWiki's own two, and the one that has the right on 117 wikis of Wikimedia.
#: Source: mediawiki/core includes/MainConfigSchema.php GroupPermissions REL1_39.
USUAL: Final = frozenset({"bot", "sysop", "autopatrolled"})

#: Further groups, each with the wikis on which it has the right.
_ALSO = {
    "autoconfirmed": "wikidatawiki testwikidatawiki",
    "autoreview": "arwiki fiwiki test2wiki trwiki trwikiquote",
    "autoreviewer": "enwiki ptwiki zhwiki zh_yuewiki",
    "botadmin": "eswiki frwiktionary itwiki mlwiki",
    "bureaucrat": "ptwiki",
    "centralnoticeadmin": "metawiki",
    "curator": "enwikiversity",
    "editor": "arwiki fiwiki foundationwiki plwikisource trwikiquote",
    "eliminator": "fawiki ptwiki viwiki viwikibooks",
    "global-renamer": "metawiki",
    "image-reviewer": "commonswiki",
    "massmessage-sender": "metawiki",
    "oauthadmin": "metawiki",
    "patroller": """
        arwikisource arzwiki azwiki bgwiki brwiki commonswiki dawiki enwikiquote eswiki eswikibooks eswikiquote
        frwikibooks frwikisource frwikiversity frwikivoyage frwiktionary hewiki hewikibooks hewiktionary hrwiki
        itwikibooks itwikiversity itwikivoyage itwiktionary lvwiki metawiki mkwiki mrwikisource mywiki nnwiki nowiki
        nowikibooks plwikiquote ruwikiversity simplewiki specieswiki tawiki thwiki trwiki uzwiki zghwiki zhwikiversity
    """,
    "propertycreator": "wikidatawiki testwikidatawiki",
    "reviewer": "arwiki eswikivoyage fiwiki hiwiki",
    "rollbacker": "igwiki itwiki lijwiki svwiki wikidatawiki testwikidatawiki wuuwiki",
    "test-sysop": "betawikiversity",
    "translationadmin": "mediawikiwiki metawiki",
    "wikidata-staff": "wikidatawiki testwikidatawiki",
    "wikifunctions-staff": "wikifunctionswiki",
    "wmf-officeit": "metawiki",
    "wmf-supportsafety": "metawiki",
}

FURTHER: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        wiki: frozenset(group for group, wikis in _ALSO.items() if wiki in wikis.split())
        for wiki in {wiki for wikis in _ALSO.values() for wiki in wikis.split()}
    }
)


def usual_groups(wiki: str) -> frozenset[str]:
    """The groups whose members are autopatrolled on *wiki*, unless its settings name others."""
    return USUAL | FURTHER.get(wiki, frozenset())
