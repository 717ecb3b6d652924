"""kombu's transport over Redis, on our connections: each command has one deadline for all of its reply."""

from kombu.transport import redis

from worker.config.redis_connections import RedisConnection, RedisTlsConnection


class RedisChannel(redis.Channel):
    """Connects with one of ours."""

    connection_class = RedisConnection
    connection_class_ssl = RedisTlsConnection


class RedisTransport(redis.Transport):
    """Opens such channels."""

    Channel = RedisChannel
