"""The words of others, in a form that every table can hold. Pure."""

#: Characters kept of them; ORES puts whole tracebacks into its own.
LONGEST_MESSAGE = 500


def storable(text: str) -> str:
    """*text*, cut, and without lone surrogates, which JSON and HTTP allow."""
    return text[:LONGEST_MESSAGE].encode(errors="replace").decode()
