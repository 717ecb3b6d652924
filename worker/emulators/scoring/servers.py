"""The models that the emulated scoring endpoint serves: versions, classes, and where Lift Wing has them. Data only.

Source: operations/deployment-charts helmfile.d/ml-services @ 66ce6e0 for namespaces and servers, and the Lift Wing
model servers (machinelearning/liftwing/inference-services, src/models). The topics are those of ORES' articletopic
1.3.0.
"""

from dataclasses import dataclass

BINARY = ("true", "false")
QUALITY = ("Stub", "Start", "C", "B", "GA", "FA")
ITEM_QUALITY = ("A", "B", "C", "D", "E")
DRAFT_QUALITY = ("attack", "OK", "spam", "vandalism")
#: Any number of them fits a page, so their probabilities do not sum to 1.
TOPICS = (
    "Culture.Biography.Biography*",
    "Culture.Biography.Women",
    "Culture.Food and drink",
    "Culture.Internet culture",
    "Culture.Linguistics",
    "Culture.Literature",
    "Culture.Media.Books",
    "Culture.Media.Entertainment",
    "Culture.Media.Films",
    "Culture.Media.Media*",
    "Culture.Media.Music",
    "Culture.Media.Radio",
    "Culture.Media.Software",
    "Culture.Media.Television",
    "Culture.Media.Video games",
    "Culture.Performing arts",
    "Culture.Philosophy and religion",
    "Culture.Sports",
    "Culture.Visual arts.Architecture",
    "Culture.Visual arts.Comics and Anime",
    "Culture.Visual arts.Fashion",
    "Culture.Visual arts.Visual arts*",
    "Geography.Geographical",
    "Geography.Regions.Africa.Africa*",
    "Geography.Regions.Africa.Central Africa",
    "Geography.Regions.Africa.Eastern Africa",
    "Geography.Regions.Africa.Northern Africa",
    "Geography.Regions.Africa.Southern Africa",
    "Geography.Regions.Africa.Western Africa",
    "Geography.Regions.Americas.Central America",
    "Geography.Regions.Americas.North America",
    "Geography.Regions.Americas.South America",
    "Geography.Regions.Asia.Asia*",
    "Geography.Regions.Asia.Central Asia",
    "Geography.Regions.Asia.East Asia",
    "Geography.Regions.Asia.North Asia",
    "Geography.Regions.Asia.South Asia",
    "Geography.Regions.Asia.Southeast Asia",
    "Geography.Regions.Asia.West Asia",
    "Geography.Regions.Europe.Eastern Europe",
    "Geography.Regions.Europe.Europe*",
    "Geography.Regions.Europe.Northern Europe",
    "Geography.Regions.Europe.Southern Europe",
    "Geography.Regions.Europe.Western Europe",
    "Geography.Regions.Oceania",
    "History and Society.Business and economics",
    "History and Society.Education",
    "History and Society.History",
    "History and Society.Military and warfare",
    "History and Society.Politics and government",
    "History and Society.Society",
    "History and Society.Transportation",
    "STEM.Biology",
    "STEM.Chemistry",
    "STEM.Computing",
    "STEM.Earth and environment",
    "STEM.Engineering",
    "STEM.Libraries & Information",
    "STEM.Mathematics",
    "STEM.Medicine & Health",
    "STEM.Physics",
    "STEM.STEM*",
    "STEM.Space",
    "STEM.Technology",
)


@dataclass(frozen=True, slots=True)
class ServedModel:
    """One model; the Host name of its server at Lift Wing is `<name in the path>.<namespace>.wikimedia.org`."""

    version: str
    namespace: str
    classes: tuple[str, ...] = BINARY
    #: In the path and in replies, where it is not the name here.
    called: str | None = None
    #: In the Host, where one server has several models.
    server: str | None = None


#: ServedModel for each wiki, by ORES and as `<wiki>-<model>` by Lift Wing.
REVSCORING = {
    "damaging": ServedModel("0.5.1", "revscoring-editquality-damaging"),
    "goodfaith": ServedModel("0.5.1", "revscoring-editquality-goodfaith"),
    "reverted": ServedModel("0.4.0", "revscoring-editquality-reverted"),
    "articlequality": ServedModel("0.9.2", "revscoring-articlequality", QUALITY),
    "wp10": ServedModel("0.9.2", "revscoring-articlequality", QUALITY),
    "itemquality": ServedModel("0.5.0", "revscoring-articlequality", ITEM_QUALITY),
    "draftquality": ServedModel("0.2.1", "revscoring-draftquality", DRAFT_QUALITY),
    "articletopic": ServedModel("1.3.0", "revscoring-articletopic", TOPICS),
    "drafttopic": ServedModel("1.3.0", "revscoring-drafttopic", TOPICS),
    "itemtopic": ServedModel("1.3.0", "revscoring-articletopic", TOPICS),
}
#: ServedModel by Lift Wing only, with one server for all its wikis.
SHARED = {
    "revertrisk-language-agnostic": ServedModel("3", "revertrisk"),
    "revertrisk-multilingual": ServedModel("4", "revertrisk"),
    "revertrisk-wikidata": ServedModel("1", "revertrisk"),
    # At Lift Wing it is called articlequality, which would be the same score as that of the wiki's revscoring model.
    "articlequality-language-agnostic": ServedModel("1", "article-models", QUALITY, called="articlequality"),
    "articlequality_v2": ServedModel("2", "article-models", QUALITY, server="articlequality"),
    "outlink-topic-model": ServedModel("alloutlinks_202209", "articletopic-outlink", TOPICS),
}
MODELS = REVSCORING | SHARED
REVSCORING_MODELS = tuple(REVSCORING)
#: Name in the path to the name here.
SHARED_BY_PATH = {model.called or name: name for name, model in SHARED.items()}


def host_name(name: str, model: str) -> str:
    """Return the Host by which Lift Wing knows the server of *model*; *name* is the name in the path."""
    return f"{MODELS[model].server or name}.{MODELS[model].namespace}.wikimedia.org"
