"""What Redis says when it answers but refuses to serve, and the cure for each. Pure.

No refusal is final: a replica becomes a master, a disk is freed, a password is corrected. Until then Redis is treated
as gone. The words are those of Redis' own error replies (redis/redis src/server.c, 7.0).
"""

import re

from redis import RedisError
from redis import exceptions as errors

_REPLICA = "it is a replica: wait for the failover to end, or let redis_url name the master"
_CLUSTER = "Celery's broker can't use a Redis Cluster: let redis_url name a Redis that is no node of one"

#: The first word of an error reply, or a part of it, and what to do.
CURES = {
    "READONLY": _REPLICA,
    "UNBLOCKED": _REPLICA,
    "MASTERDOWN": _REPLICA,
    "MISCONF": "it can't save to its disk: correct that, or set its stop-writes-on-bgsave-error to no",
    "OOM": "its memory is full: raise its maxmemory, or remove what else is kept there",
    "NOREPLICAS": "too few of its replicas are there: start them, or lower its min-replicas-to-write",
    "LOADING": "it is still reading its data: wait",
    "BUSY": "a script holds it up: wait, or end that with SCRIPT KILL",
    "NOAUTH": "write its password into redis_url",
    "WRONGPASS": "correct user and password in redis_url",
    "invalid password": "correct the password in redis_url",
    "NOPERM": "give the user in redis_url the rights that README names (ACL SETUSER)",
    "max number of clients": "raise its maxclients, or end other clients",
    "WRONGTYPE": "somebody else uses that key: remove it, or let redis_url name a database of our own",
    "MOVED": _CLUSTER,
    "ASK": _CLUSTER,
    "CROSSSLOT": _CLUSTER,
    "CLUSTERDOWN": _CLUSTER,
    # These words come from TLS, not from Redis.
    "CERTIFICATE_VERIFY_FAILED": "let ?ssl_ca_certs= in redis_url name the authority that signed its certificate, and "
    "the host be as the certificate has it",
}
_IN_PIPELINE = re.compile(r"^Command # \d+ \(.*?\) of pipeline caused error: ", re.DOTALL)
_KNOWN = re.compile("|".join(rf"\b{re.escape(words)}\b" for words in CURES))

GONE = "start it, or correct redis_url"
UNKNOWN = "the log of Redis may tell more"


def redis_error(error: BaseException | None) -> RedisError | None:
    """*error*, or the error it came from, if that is one of Redis; None otherwise."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        if isinstance(error, RedisError):
            return error
        seen.add(id(error))
        error = error.__cause__ or error.__context__
    return None


def is_refusal(error: BaseException | None) -> bool:
    """Whether Redis answered, but refused."""
    return isinstance(redis_error(error), errors.ResponseError)


def said(error: BaseException) -> str:
    """What Redis said: with its first word, which the client cuts off, and without the text that a pipeline adds."""
    origin = redis_error(error) or error
    text = _IN_PIPELINE.sub("", str(origin)) or type(origin).__name__
    code = getattr(origin, "status_code", None)
    return text if not code or code == "ERR" or text.startswith(code) else f"{code} {text}"


def cure(error: BaseException) -> str:
    """What an operator can do about it."""
    if found := _KNOWN.search(said(error)):
        return CURES[found[0]]
    return UNKNOWN if is_refusal(error) else GONE
