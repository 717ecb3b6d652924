"""How messages are claimed and given up. Values only: this package reads no environment and no file."""

from datetime import timedelta

from pydantic import BaseModel, ConfigDict, Field


class OutboxSettings(BaseModel):
    """Settings that hold for every lane of every wiki."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    batch_size: int = Field(default=500, ge=1, le=2000, description="Messages claimed at once.")
    lease_seconds: float = Field(
        default=45,
        ge=1,
        le=600,
        description="How long a claim holds unless it is renewed; a crash costs this much time.",
    )
    max_attempts: int = Field(default=8, ge=1, le=100, description="Claims before a message is given up.")
    recent_change_seconds: float = Field(
        default=60,
        ge=0,
        le=3600,
        description="How long an edit of an attached wiki waits until recentchanges has it; then it goes without.",
    )

    @property
    def patience(self) -> timedelta:
        return timedelta(seconds=self.recent_change_seconds)

    @property
    def lease(self) -> timedelta:
        return timedelta(seconds=self.lease_seconds)
