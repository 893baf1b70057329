"""The receiver of webhooks: its inboxes do as they are told, and nothing of it is left behind."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import httpx
import pytest

from conformance.errors import NotMeasured
from conformance.receiver import CLOSED, SILENCE, Receiver, Reply
from conformance.target import Target

EVENT = {"event_type": "ASYNC_TASK_RESULT", "payload": {}}
SOON_S = 5.0


def target(url: str = "http://127.0.0.1:1", **more: object) -> Target:
    return Target(url=url, key="k", **more)  # type: ignore[arg-type]  # each test knows its fields


@asynccontextmanager
async def opened(**more: object) -> AsyncIterator[tuple[Receiver, httpx.AsyncClient]]:
    async with Receiver.open(target(**more)) as receiver, httpx.AsyncClient(trust_env=False) as client:  # type: ignore[arg-type]
        yield receiver, client


def run(test: Callable[[Receiver, httpx.AsyncClient], Awaitable[None]], **more: object) -> None:
    async def inside() -> None:
        async with opened(**more) as (receiver, client):
            await test(receiver, client)
        left = asyncio.all_tasks() - {asyncio.current_task()}
        assert not left, "a task was left behind"

    asyncio.run(inside())


def test_the_sink_takes_everything_and_keeps_nothing() -> None:
    async def test(receiver: Receiver, client: httpx.AsyncClient) -> None:
        assert receiver.reachable
        answers = await asyncio.gather(*(client.post(receiver.sink_url, json=EVENT) for _ in range(100)))
        assert {answer.status_code for answer in answers} == {200}
        assert receiver.attempts == []

    run(test)


def test_an_inbox_follows_its_plan_and_keeps_every_attempt() -> None:
    async def test(receiver: Receiver, client: httpx.AsyncClient) -> None:
        other = receiver.inbox()
        plan = (Reply(status=500), Reply(status=404), Reply(status=302, location=other.url))
        inbox = receiver.inbox(plan, then=Reply(status=204))
        answers = [await client.post(inbox.url, json={**EVENT, "n": n}, headers={"X-N": str(n)}) for n in range(5)]
        assert [answer.status_code for answer in answers] == [500, 404, 302, 204, 204]
        assert answers[2].headers["location"] == other.url
        assert other.attempts == []
        assert [(one.number, one.method, one.json["n"], one.headers["x-n"]) for one in inbox.attempts] == [
            (n + 1, "POST", n, str(n)) for n in range(5)
        ]
        assert all(one.took_s < SOON_S and one.left for one in inbox.attempts)
        assert receiver.attempts == inbox.attempts
        assert (await client.post(receiver.base_url + "/other")).status_code == 404

    run(test)


def test_a_connection_that_is_closed_without_an_answer() -> None:
    async def test(receiver: Receiver, client: httpx.AsyncClient) -> None:
        inbox = receiver.inbox((CLOSED,))
        with pytest.raises(httpx.RemoteProtocolError):
            await client.post(inbox.url, json=EVENT)
        assert (await client.post(inbox.url, json=EVENT)).status_code == 200
        assert inbox.attempts[0].answered_s is None
        assert not inbox.is_silent

    run(test)


def test_silence_lasts_until_the_other_side_hangs_up() -> None:
    async def test(receiver: Receiver, client: httpx.AsyncClient) -> None:
        inbox = receiver.inbox((SILENCE,))
        asked = asyncio.create_task(client.post(inbox.url, json=EVENT, timeout=0.3))
        assert await inbox.wait(1, SOON_S)
        assert inbox.is_silent
        assert not await inbox.left(0.05)
        with pytest.raises(httpx.ReadTimeout):
            await asked
        assert await inbox.left(SOON_S)
        assert not inbox.is_silent

    run(test)


def test_silence_ends_with_the_receiver() -> None:
    async def inside() -> None:
        async with httpx.AsyncClient(trust_env=False) as client:
            async with opened() as (receiver, _):
                asked = asyncio.create_task(client.post(receiver.inbox((SILENCE,)).url, json=EVENT, timeout=60))
                await receiver._inboxes[next(iter(receiver._inboxes))].wait(1, SOON_S)
            with pytest.raises(httpx.TransportError):
                await asyncio.wait_for(asked, SOON_S)

    asyncio.run(inside())


def test_a_late_answer_is_late() -> None:
    async def test(receiver: Receiver, client: httpx.AsyncClient) -> None:
        inbox = receiver.inbox((Reply(after_s=0.2),))
        began_s = time.monotonic()
        assert (await client.post(inbox.url, json=EVENT)).status_code == 200
        assert time.monotonic() - began_s >= 0.2
        assert inbox.attempts[0].took_s >= 0.2

    run(test)


def test_waiting_ends_at_the_deadline() -> None:
    async def test(receiver: Receiver, client: httpx.AsyncClient) -> None:
        inbox = receiver.inbox()
        assert not await inbox.wait(1, 0.02)
        waits = [asyncio.create_task(inbox.wait(number, SOON_S)) for number in (1, 2)]
        for _ in range(2):
            await client.post(inbox.url, json=EVENT)
        assert await asyncio.gather(*waits) == [True, True]

    run(test)


def test_what_is_no_http_and_no_json_does_no_harm() -> None:
    async def test(receiver: Receiver, client: httpx.AsyncClient) -> None:
        port = int(receiver.base_url.rpartition(":")[2])
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"\x16\x03\x01 this is no HTTP\r\n\r\n")
        await writer.drain()
        writer.close()
        inbox = receiver.inbox()
        assert (await client.put(inbox.url, content=b"{")).status_code == 200
        assert not inbox.attempts[0].json
        assert inbox.attempts[0].brief() == "PUT with '{'"

    run(test)


def test_nobody_listens_at_the_dead_address() -> None:
    async def test(receiver: Receiver, client: httpx.AsyncClient) -> None:
        assert receiver.dead_url == receiver.dead_url
        with pytest.raises(httpx.ConnectError):
            await client.post(receiver.dead_url, json=EVENT)

    run(test)


def test_a_remote_target_needs_to_be_told_where_we_are() -> None:
    async def test(receiver: Receiver, client: httpx.AsyncClient) -> None:
        del client
        assert not receiver.reachable
        assert receiver.sink_url.startswith("http://receiver.invalid/")
        assert receiver.dead_url.startswith("http://receiver.invalid/")
        with pytest.raises(NotMeasured, match="--webhook-host"):
            receiver.inbox()

    run(test, url="https://images.example")


def test_a_host_that_is_told_is_in_every_url() -> None:
    async def test(receiver: Receiver, client: httpx.AsyncClient) -> None:
        inbox = receiver.inbox()
        assert inbox.url.startswith("http://receiver.test:")
        port = inbox.url.split(":")[2].split("/")[0]
        answer = await client.post(inbox.url.replace("receiver.test", "127.0.0.1"), json=EVENT)
        assert (answer.status_code, len(inbox.attempts), int(port) > 0) == (200, 1, True)

    run(test, url="https://images.example", webhook_host="receiver.test")


def test_a_port_that_is_taken_is_a_reason_and_no_crash() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        async def test(receiver: Receiver, client: httpx.AsyncClient) -> None:
            del client
            assert not receiver.reachable
            with pytest.raises(NotMeasured, match=str(port)):
                receiver.inbox()

        run(test, webhook_port=port)
