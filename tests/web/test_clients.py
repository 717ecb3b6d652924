"""Each client has so many requests at once and so many that wait; its address is told by proxies of ours only."""

import asyncio
from collections.abc import Mapping, Sequence

import pytest
from starlette.requests import Request

from tests.patience import PATIENCE_SECONDS
from tests.web.conftest import OpenFront
from tests.web.fronts import Front
from worker.config.settings_sections import WebSettings
from worker.web.clients import address_of

PATH = "/v3/scores/enwiki/1/damaging"
#: One request at once and one that waits.
NARROW = {"requests_per_client": 1, "waiting_per_client": 1, "timeout_seconds": 0.5}
#: The same for who is to be answered.
PATIENT = NARROW | {"waiting_per_client": 0, "timeout_seconds": PATIENCE_SECONDS}


def a_request(client: str | None, headers: Sequence[tuple[str, str]] = ()) -> Request:
    raw = [(name.lower().encode(), value.encode()) for name, value in headers]
    return Request({"type": "http", "client": client and (client, 1), "headers": raw})


@pytest.mark.parametrize(
    ("client", "headers", "address"),
    [
        ("203.0.113.7", {}, "203.0.113.7"),
        ("203.0.113.7", {"X-Client-IP": "198.51.100.1"}, "203.0.113.7"),
        ("203.0.113.7", {"X-Forwarded-For": "198.51.100.1"}, "203.0.113.7"),
        ("10.0.0.1", {}, "10.0.0.1"),
        ("10.0.0.1", {"X-Client-IP": " 198.51.100.1 "}, "198.51.100.1"),
        ("10.0.0.1", {"X-Client-IP": "nonsense", "X-Forwarded-For": "198.51.100.1"}, "198.51.100.1"),
        ("10.0.0.1", {"X-Forwarded-For": "192.0.2.9, 198.51.100.1, 10.0.0.2"}, "198.51.100.1"),
        ("10.0.0.1", {"X-Forwarded-For": "192.0.2.9, nonsense"}, "10.0.0.1"),
        ("10.0.0.1", {"X-Forwarded-For": "10.0.0.3, 10.0.0.2"}, "10.0.0.3"),
        ("10.0.0.1", {"X-Forwarded-For": ""}, "10.0.0.1"),
        ("10.0.0.1", {"X-Forwarded-For": "198.51.100.1:4711"}, "198.51.100.1"),
        ("10.0.0.1", {"X-Forwarded-For": "[2001:db8::1]:4711, 10.0.0.2:80"}, "2001:db8::1"),
        ("10.0.0.1", {"X-Forwarded-For": "[2001:db8::1]"}, "2001:db8::1"),
        ("::ffff:10.0.0.1", {"X-Forwarded-For": "2001:db8::1"}, "2001:db8::1"),
        (None, {"X-Client-IP": "198.51.100.1"}, "None"),
    ],
)
def test_the_address_is_that_of_whoever_a_trusted_proxy_speaks_for(
    client: str | None, headers: Mapping[str, str], address: str
) -> None:
    proxies = WebSettings.model_validate({"trusted_proxies": ["10.0.0.0/8"]}).trusted_proxies

    assert str(address_of(a_request(client, list(headers.items())), proxies)) == address


def test_a_proxys_headers_may_be_several(front: Front) -> None:
    proxies = WebSettings.model_validate({"trusted_proxies": ["10.0.0.0/8"]}).trusted_proxies
    request = a_request("10.0.0.1", [("X-Forwarded-For", "192.0.2.9"), ("X-Forwarded-For", "198.51.100.1")])

    assert str(address_of(request, proxies)) == "198.51.100.1"


def statuses(front: Front, clients: Sequence[str], headers: Sequence[Mapping[str, str]] = ()) -> list[int]:
    """Of one request of each of *clients*, all at once, while no worker is there."""
    front.workers.are_there = False

    async def ask() -> list[int]:
        asks = [
            front.client_at(client).get(PATH, headers=headers[number] if headers else None)
            for number, client in enumerate(clients)
        ]
        return [reply.status_code for reply in await asyncio.gather(*asks)]

    return front.run(ask())


def test_more_requests_of_one_client_than_may_wait_are_too_many(open_front: OpenFront) -> None:
    found = statuses(open_front(web=NARROW), ["203.0.113.7"] * 3)

    # One is sent away at once; the others wait for the same time, and either may be over first.
    assert found.count(429) == 1
    assert set(found) <= {200, 429, 504}


def test_this_machine_is_not_limited_unless_the_settings_say_so(open_front: OpenFront) -> None:
    assert 429 not in statuses(open_front(web=NARROW), ["127.0.0.1"] * 5)


def test_who_is_sent_away_is_told_when_to_come_again(open_front: OpenFront) -> None:
    front = open_front(web=NARROW | {"waiting_per_client": 0})
    front.workers.are_there = False
    front.http = front.client_at("203.0.113.7")
    replies = front.at_once([PATH, PATH])

    refused = next(reply for reply in replies if reply.status_code == 429)
    assert int(refused.headers["retry-after"]) > 0
    assert refused.json()["error"] == {
        "code": "too_many_requests",
        "message": "A limited number of parallel connections per IP is allowed.",
    }


@pytest.mark.parametrize(
    ("clients", "is_limited"),
    [
        (["203.0.113.7", "203.0.113.8"], False),
        (["2001:db8::1", "2001:db8::2"], True),
        (["2001:db8::1", "2001:db8:1::1"], False),
        (["192.0.2.1", "192.0.2.1"], False),
        (["127.0.0.1", "127.0.0.1"], True),
    ],
)
def test_clients_are_told_apart_by_their_addresses(
    open_front: OpenFront, clients: Sequence[str], is_limited: bool
) -> None:
    web = NARROW | {"waiting_per_client": 0, "unlimited_clients": ["192.0.2.0/24"]}

    assert (429 in statuses(open_front(web=web), clients)) is is_limited


def test_clients_behind_a_proxy_are_told_apart(open_front: OpenFront) -> None:
    web = NARROW | {"waiting_per_client": 0, "trusted_proxies": ["10.0.0.0/8"]}
    headers = [{"X-Client-IP": "198.51.100.1"}, {"X-Client-IP": "198.51.100.2"}]

    assert 429 not in statuses(open_front(web=web), ["10.0.0.1"] * 2, headers)


def test_a_place_is_free_again_when_its_request_has_ended(open_front: OpenFront) -> None:
    front = open_front(web=PATIENT)
    front.http = front.client_at("203.0.113.7")

    assert [front.get(PATH).status_code for _ in range(5)] == [200] * 5
