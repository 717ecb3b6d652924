"""The replies of a wiki's API, validated: formatversion 2 of the action API, and pages of the REST API. Pure."""

from typing import Annotated

from pydantic import Field, TypeAdapter

from worker.domain.storable import LONGEST_MESSAGE
from worker.endpoints.replies import EndpointReply

Id = Annotated[int, Field(ge=0, strict=True)]


class ApiError(EndpointReply):
    """`{"code": …, "info": …}`, with status 200."""

    code: str = Field(max_length=LONGEST_MESSAGE)
    info: str = ""


class Spelling(EndpointReply):
    """A title as it was asked for, and as the wiki spells it."""

    from_: str = Field(alias="from")
    to: str


class RevisionIds(EndpointReply):
    """A revision in a reply of the action API."""

    revid: Id


class ApiPage(EndpointReply):
    """A page, or a title without one: `missing`, `invalid` or `special`, which have no id."""

    title: str = ""
    pageid: Id = 0
    revisions: tuple[RevisionIds, ...] = ()


class Namespace(EndpointReply):
    """A namespace; `name` is in the wiki's own language, and empty for the main one."""

    id: int
    name: str = ""


class QueryResult(EndpointReply):
    """Titles of other wikis, and revisions that are gone, are listed separately."""

    pages: tuple[ApiPage, ...] = ()
    normalized: tuple[Spelling, ...] = ()
    namespaces: dict[str, Namespace] = Field(default_factory=dict)


class ApiReply(EndpointReply):
    """The reply to `action=query`; without `query` if nothing that was asked for exists."""

    query: QueryResult = QueryResult()
    error: ApiError | None = None


class LatestRevision(EndpointReply):
    """The latest revision in a reply of the REST API."""

    id: Id


class RestPage(EndpointReply):
    """What the REST API tells about a page, without its source."""

    id: Id
    key: str
    title: str
    latest: LatestRevision
    content_model: str


QueryReply = TypeAdapter(ApiReply)
RestPageReply = TypeAdapter(RestPage)
