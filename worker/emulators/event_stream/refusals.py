"""What EventStreams and the KafkaSSE inside it answer to a request that they refuse. Pure.

Source: wikimedia/mediawiki-services-eventstreams routes/stream.js and lib/util.js @ 7d6ac81; wikimedia/KafkaSSE
lib/KafkaSSE.js and lib/error.js @ e4194f2.
"""

from collections.abc import Collection

from worker.emulators.documents import Document


class StreamRefused(Exception):
    """The request is refused; *status* and *document* are those of the reply, and *reason* its reason phrase."""

    def __init__(self, status: int, document: Document, reason: str | None = None) -> None:
        super().__init__(str(document.get("detail", document.get("message"))))
        self.status = status
        self.document = document
        self.reason = reason


def no_such_streams(names: Collection[str]) -> StreamRefused:
    """Streams are asked for that the service does not have."""
    return _of_the_service(400, "not_found", "Stream Not Found", f"Invalid streams: {','.join(names)}")


def no_time(text: str) -> StreamRefused:
    """`since` is no point in time."""
    detail = f"since timestamp is not a UTC milliseconds unix epoch and was not parseable: '{text}'"
    return _of_the_service(400, "invalid_timestamp", "Invalid timestamp", detail)


def no_client_address() -> StreamRefused:
    """The request does not say whose it is."""
    title = "Missing Required X-Client-IP Header"
    return _of_the_service(400, "bad_request", title, "X-Client-IP is a required request header")


def too_many_connections() -> StreamRefused:
    """The client has as many connections open as it may."""
    detail = "Your HTTP client is likely opening too many concurrent connections."
    return _of_the_service(429, "too_many_requests", "Too Many Concurrent Connections From Your Client IP", detail)


def invalid_assignment(message: str, **more: object) -> StreamRefused:
    """Last-Event-ID holds no places in topics; *more* are further fields of the error."""
    return _of_kafka_sse(400, "InvalidAssignmentError", message, more)


def no_such_topics(names: Collection[str], available: Collection[str]) -> StreamRefused:
    """Topics are asked for that are not there; *available* are."""
    message = f"Topics {', '.join(names)} are not available for consumption."
    return _of_kafka_sse(404, "TopicNotAvailableError", message, {"availableTopics": list(available)})


def _of_the_service(status: int, type_: str, title: str, detail: str) -> StreamRefused:
    return StreamRefused(status, {"status": status, "type": type_, "title": title, "detail": detail})


def _of_kafka_sse(status: int, name: str, message: str, more: Document) -> StreamRefused:
    document: Document = {"message": message, "origin": "KafkaSSE", "name": name} | more | {"statusCode": status}
    return StreamRefused(status, document, f"{name}: {message}")
