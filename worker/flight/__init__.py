"""Single flight: concurrent requests for one score share one call, through three tiers of one protocol."""
