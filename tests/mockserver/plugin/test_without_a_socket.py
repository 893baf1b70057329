"""The transport: httpx clients of both kinds reach a world without a connection."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx
import pytest

from mockserver.handles import NovitaWorld
from mockserver.testing.async_handles import AsyncNovitaWorld
from mockserver.testing.loop import URL
from mockserver.testing.transport import MockTransport
from tests.bodies import TXT2IMG, txt2img


def headers(world: NovitaWorld) -> dict[str, str]:
    return {"authorization": f"Bearer {world.key}"}


@pytest.mark.novita(socket=False)
def test_a_whole_life_without_a_listening_socket(novita_world: NovitaWorld, novita_transport: MockTransport) -> None:
    """Submit, poll, download: links lead through the transport too."""
    assert novita_world.url == URL
    with httpx.Client(transport=novita_transport, base_url=URL) as client:
        task_id = client.post(TXT2IMG, json=txt2img(seed=3), headers=headers(novita_world)).json()["task_id"]
        novita_world.clock.run_until_idle()
        found = client.get("/v3/async/task-result", params={"task_id": task_id}, headers=headers(novita_world)).json()
        picture = client.get(found["images"][0]["image_url"]).content
    assert novita_world.decode(picture).seed == 3


def test_coroutines_use_the_same_transport(novita_world: NovitaWorld, novita_transport: MockTransport) -> None:
    """Beside the socket, in the same world."""

    async def submit() -> httpx.Response:
        async with httpx.AsyncClient(transport=novita_transport, base_url=novita_world.url) as client:
            return await client.post(TXT2IMG, json=txt2img(), headers=headers(novita_world))

    assert asyncio.run(submit()).status_code == 200
    assert len(novita_world.requests()) == 1


@pytest.mark.novita(socket=False)
def test_compressed_answers_are_read(novita_world: NovitaWorld, novita_transport: MockTransport) -> None:
    with httpx.Client(transport=novita_transport, base_url=URL) as client:
        answer = client.get("/v3/model", headers={**headers(novita_world), "accept-encoding": "gzip"})
    assert answer.headers["content-encoding"] == "gzip"
    assert answer.json()["models"]


@pytest.mark.novita(socket=False)
def test_connections_break_as_on_a_wire(novita_world: NovitaWorld, novita_transport: MockTransport) -> None:
    """A reset is httpx's read error, silence its read time-out, for both kinds of client."""
    novita_world.faults.arm("submit.before", "CONNECTION_RESET_BY_PEER", nth=1)
    novita_world.faults.arm("submit.before", "no-answer")
    with httpx.Client(transport=novita_transport, base_url=URL, timeout=0.05) as client:
        with pytest.raises(httpx.ReadError):
            client.post(TXT2IMG, json=txt2img(), headers=headers(novita_world))
        with pytest.raises(httpx.ReadTimeout):
            client.post(TXT2IMG, json=txt2img(), headers=headers(novita_world))

    async def wait() -> None:
        async with httpx.AsyncClient(transport=novita_transport, base_url=URL, timeout=0.05) as client:
            await client.post(TXT2IMG, json=txt2img(), headers=headers(novita_world))

    with pytest.raises(httpx.ReadTimeout):
        asyncio.run(wait())


def test_the_twin_of_a_world_is_awaited(novita_async_world: AsyncNovitaWorld, tmp_path: Path) -> None:
    """A receiver in the test's own loop answers while the test moves the clock."""
    taken: list[bytes] = []

    async def receive(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        taken.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n")
        writer.close()

    async def run() -> None:
        world = novita_async_world
        server = await asyncio.start_server(receive, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        async with server, httpx.AsyncClient(base_url=world.url) as client:
            await world.clock.freeze()
            body = txt2img({"webhook": {"url": f"http://127.0.0.1:{port}/"}})
            answer = await client.post(TXT2IMG, json=body, headers={"authorization": f"Bearer {world.key}"})
            assert answer.status_code == 200
            assert await world.clock.advance_to_next_event() is not None
            await world.clock.run_until_idle()
            (delivery,) = await world.webhooks.wait()
            assert delivery["state"] == "delivered"
            assert len(await world.webhooks.deliveries()) == 1
            assert await world.webhooks.replay(delivery["id"])
        assert len(taken) == 2
        assert await world.ledger.usd() > 0
        await world.ledger.check_budget(0.01)
        assert await world.ledger.double_spends() == []
        await world.webhooks.hold()
        await world.webhooks.release()
        assert await world.webhooks.inbox() == []
        assert world.webhooks.inbox_url.startswith(world.url)
        await world.faults.arm("submit.before", {"status": 429})
        assert await world.faults.fired() == []
        await world.faults.disarm()
        before_ms = await world.clock.now_ms()
        await world.clock.advance("1s")
        assert await world.clock.now_ms() == before_ms + 1000
        await world.clock.resume()
        assert [call["operation_id"] for call in await world.requests()] == ["createTxt2imgTask"]
        assert await world.findings() == {}

    asyncio.run(run())
