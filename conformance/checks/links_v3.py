"""The links to the pictures: open to everybody, for as long as they say, and no longer."""

from __future__ import annotations

from conformance import ageing, stories
from conformance.expect import header, one_of, status
from conformance.registry import Area, Phase
from conformance.tasks import Picture, decoded
from conformance.trial import Trial

area = Area()

MEDIA_TYPES = {"png": "image/png", "webp": "image/webp", "jpeg": "image/jpeg"}


async def several(t: Trial) -> list[Picture]:
    """Pictures of both operations and of all formats."""
    formats = [await stories.as_format(t, kind) for kind in ("jpeg", "webp")]
    which = [await stories.plain(t), await stories.plain_img2img(t), *formats]
    return [picture for pictures in await t.all(stories.pictures(t, one) for one in which) for picture in pictures]


@area.check("V3-LINK-001")
async def a_link_is_served_without_a_key(t: Trial) -> None:
    for picture in await several(t):
        t.expect(picture.download, status(200))


@area.check("V3-LINK-002")
async def the_content_type_is_that_of_the_picture(t: Trial) -> None:
    for picture in await several(t):
        kind = picture.entry.get("image_type")
        if kind not in MEDIA_TYPES:
            t.fail("png, webp or jpeg", f"image_type = {kind!r}", picture.download, blame="V3-RESULT-016")
        media_type = MEDIA_TYPES[kind]
        t.expect(picture.download, header("content-type", rf"(?i){media_type}\s*(;.*)?", f"Content-Type {media_type}"))


@area.check("V3-LINK-003", phase=Phase.EXPIRY)
async def a_link_works_until_its_time_is_over(t: Trial) -> None:
    found = await ageing.aged(t)
    if found.ttl_s == 0:
        t.not_applicable("image_url_ttl is 0: how long links live is not stated (C3)")
    for held, picture, answer in found.alive:
        t.expect(answer, status(200), seen=(held.number,))
        try:
            decoded(answer.body)
        except (OSError, ValueError, SyntaxError):
            t.fail(f"the picture of {len(picture.data)} bytes", answer.brief(), held, answer)


@area.check("V3-LINK-004", phase=Phase.EXPIRY)
async def a_link_is_dead_when_its_time_is_over(t: Trial) -> None:
    found = await ageing.aged(t)
    if found.ttl_s == 0:
        t.not_applicable("image_url_ttl is 0: how long links live is not stated (C3)")
    for picture, answer in found.late:
        if answer.body == picture.data or (answer.status == 200 and answer.media_type.startswith("image/")):
            t.fail(f"no picture more than {found.ttl_s} s after the answer", answer.brief(), found.answer, answer)
        t.branch(f"it is answered with {answer.status or answer.error}")


@area.check("V3-LINK-005")
async def a_link_lives_for_an_hour(t: Trial) -> None:
    for story in (await stories.plain(t), await stories.plain_img2img(t)):
        answer = (await stories.finished(t, story)).result
        for index in range(len(stories.entries_of(t, answer))):
            stories.ttl_of(t, answer, index)
        t.expect(answer, one_of("images[].image_url_ttl", 3600, "3600"))


@area.check("V3-LINK-006")
async def a_range_request_gives_the_bytes_asked_for(t: Trial) -> None:
    picture = await stories.picture(t, await stories.plain(t))
    size = len(picture.data)
    for asked, wanted in (
        ("bytes=0-15", picture.data[:16]),
        ("bytes=16-47", picture.data[16:48]),
        (f"bytes={size - 10}-", picture.data[-10:]),
        ("bytes=-12", picture.data[-12:]),
    ):
        answer = await t.request("GET", picture.download.url, headers={"Range": asked}, purpose=f"the range {asked}")
        t.expect(answer, status(206), seen=(picture.download.number,))
        if answer.body != wanted:
            t.fail(f"{asked}: {wanted[:16]!r}", f"{answer.body[:16]!r}", picture.download, answer)
