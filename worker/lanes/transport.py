"""kombu's transport over Redis, on our connections: each command has one deadline for all of its reply."""

from kombu.transport import redis

from worker.config.redis_connections import BoundedConnection, BoundedTlsConnection


class BoundedChannel(redis.Channel):
    """Connects with one of ours."""

    connection_class = BoundedConnection
    connection_class_ssl = BoundedTlsConnection


class BoundedTransport(redis.Transport):
    """Opens such channels."""

    Channel = BoundedChannel
