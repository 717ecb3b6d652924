"""What can be set while the emulated wiki runs. Pure."""

from pydantic import Field

from worker.emulators.settings import CommonSettings

NAMESPACES = {"Talk": 1, "User": 2, "User talk": 3, "File": 6, "Special": -1}


class EmulatedWikiSettings(CommonSettings):
    """Everything that can be set; calls without a User-Agent are refused, as by Wikimedia's edge."""

    #: Seconds by which its replicas lag; calls with a lower `maxlag` are refused.
    lag: float = Field(default=0.0, ge=0)
    #: How often the action API answers with this error, in a reply of status 200: `ratelimited`, `readonly` …
    error_code: str | None = Field(default=None, min_length=1)
    #: Most values of one parameter.
    values_limit: int = Field(default=50, ge=1)
    #: Namespaces that a title may begin with, with their numbers.
    namespaces: dict[str, int] = Field(default_factory=lambda: dict(NAMESPACES))
