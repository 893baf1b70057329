"""The links to the pictures of v3."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from conformance.bodies import RESULT
from conformance.mutants.making import puts
from conformance.mutants.v3_pictures import files
from conformance.mutants.values import Answer, Link, Mutant, Request, State


async def _kept(state: State, request: Request, answer: Answer) -> Answer:
    """Keeps every file that a result names, so that its link never dies."""
    files = state.memory.setdefault("files", {})
    for entry in answer.json.get("images") or () if isinstance(answer.json, dict) else ():
        link = state.links.get(entry.get("image_url"))
        if link is not None and link.url not in files:
            found = await state.fetch(link.origin, None)
            if found.status == 200:
                files[link.url] = found
    return answer


def _undying(state: State, link: Link, request: Request, answer: Answer) -> Answer:
    kept = state.memory.get("files", {}).get(link.url)
    return kept if kept is not None and answer.status >= 400 else answer


def _dies_after(share: float) -> Any:
    def picture(state: State, link: Link, request: Request, answer: Answer) -> Answer:
        return Answer(status=403) if state.now_s() - link.seen_s > 3600 * share else answer

    return picture


def _fades(state: State, link: Link, request: Request, answer: Answer) -> Answer:
    late = state.now_s() - link.seen_s > 1800 and answer.status == 200
    return answer.with_body(answer.body[: len(answer.body) // 2]) if late else answer


def _needs_key(state: State, link: Link, request: Request, answer: Answer) -> Answer:
    return answer if "authorization" in request.headers else Answer(status=401)


async def _whole(state: State, link: Link, request: Request, answer: Answer) -> Answer:
    return await state.fetch(link.origin, replace(request, headers={})) if "range" in request.headers else answer


def _shifted(state: State, link: Link, request: Request, answer: Answer) -> Answer:
    return answer.with_body(answer.body[::-1]) if answer.status == 206 else answer


def _typed(name: str, text: str, old: str, new: str | None) -> Mutant:
    def change(answer: Answer) -> Answer:
        fits = answer.headers.get("content-type", "").startswith(old)
        return answer.with_header("content-type", new) if fits else answer

    return files(name, "V3-LINK-002", text, change)


MUTANTS = (
    Mutant(
        name="links-need-a-key", breaks="V3-LINK-001", text="A link needs the key.", picture=_needs_key, sees_links=True
    ),
    files("links-born-dead", "V3-LINK-001", "No link works.", lambda answer: Answer(status=404)),
    files(
        "links-moved",
        "V3-LINK-001",
        "A link leads elsewhere.",
        lambda answer: Answer(status=302, headers={"location": "/elsewhere"}),
    ),
    _typed("files-of-octets", "The media type of a file is unknown.", "image/", "application/octet-stream"),
    _typed("webp-as-png", "A webp is served as png.", "image/webp", "image/png"),
    _typed("jpeg-as-jpg", "A jpeg is served as image/jpg.", "image/jpeg", "image/jpg"),
    Mutant(
        name="links-die-early",
        breaks="V3-LINK-003",
        text="A link dies after half of its time.",
        picture=_dies_after(0.5),
        sees_links=True,
    ),
    Mutant(
        name="links-live-for-a-minute",
        breaks="V3-LINK-003",
        text="A link dies after a minute.",
        picture=_dies_after(1 / 60),
        sees_links=True,
    ),
    Mutant(
        name="links-fade",
        breaks="V3-LINK-003",
        text="After half of its time a link gives half of the file.",
        picture=_fades,
        sees_links=True,
    ),
    Mutant(
        name="links-never-die",
        breaks="V3-LINK-004",
        text="A link works for ever.",
        answer=lambda state, request, answer: _kept(state, request, answer),
        picture=_undying,
        sees_links=True,
    ),
    Mutant(
        name="links-live-ten-minutes",
        breaks="V3-LINK-005",
        text="Links live for ten minutes, and say so.",
        picture=_dies_after(1 / 6),
        answer=puts("", "", "", RESULT, "images[].image_url_ttl", "600").answer,
        sees_links=True,
    ),
    Mutant(
        name="ranges-ignored",
        breaks="V3-LINK-006",
        text="A range request gets the whole file.",
        picture=_whole,
        sees_links=True,
    ),
    Mutant(
        name="ranges-reversed",
        breaks="V3-LINK-006",
        text="A range request gets other bytes.",
        picture=_shifted,
        sees_links=True,
    ),
)
