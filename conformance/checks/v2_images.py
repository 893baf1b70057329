"""The pictures of v2 and the links to them."""

from __future__ import annotations

from conformance import timing
from conformance.bodies import IMG2IMG_V2, TXT2IMG_V2
from conformance.pixels import degree, like, other
from conformance.registry import Area, Phase
from conformance.stories_v2 import both, fitted, grid, hires, only, plain, redrawn, seeded, single
from conformance.tasks import Picture, Task, decoded, links
from conformance.trial import Trial
from conformance.wire import Exchange

area = Area()

TTL_S = 1
GRACE_S = 4.0
"""Real seconds that a link may live on: clocks are rounded, and files are swept now and then."""
PLAIN = ("V2-TXT2IMG-001",)


@area.check("V2-IMAGE-001", needs=PLAIN)
async def a_link_gives_a_picture_of_the_size_asked_for(t: Trial) -> None:
    found = [await grid(t), await single(t)]
    if await t.exists(IMG2IMG_V2):
        found.append(await fitted(t, 0))
    for task in found:
        for picture in await t.session.pictures(task):
            _expect_size(t, task, picture, (task.body["width"], task.body["height"]))


def _expect_size(t: Trial, task: Task, picture: Picture, size: tuple[int, int]) -> None:
    if picture.size != size:
        t.fail("a picture of {} x {}".format(*size), "{} x {}".format(*picture.size), task, picture.download)


@area.check("V2-IMAGE-002", needs=PLAIN)
async def pictures_have_the_format_asked_for(t: Trial) -> None:
    cases = [(await single(t), "png"), (await grid(t), "png"), (await seeded(t), "jpeg")]
    if await t.exists(IMG2IMG_V2):
        cases += [(await fitted(t, 0), "png"), (await redrawn(t), "jpeg")]
    for task, kind in cases:
        for picture in await t.session.pictures(task):
            if picture.format != kind:
                t.fail(f"a picture of the format {kind}", picture.format, task, picture.download)


@area.check("V2-IMAGE-003", needs=PLAIN)
async def the_second_pass_has_its_size(t: Trial) -> None:
    target, double = await hires(t), await seeded(t)
    _expect_size(t, target, await only(t, target), (target.body["hr_resize_x"], target.body["hr_resize_y"]))
    _expect_size(t, double, await only(t, double), (2 * double.body["width"], 2 * double.body["height"]))


@area.check("V2-IMAGE-004", needs=PLAIN)
async def a_seed_gives_its_picture_again(t: Trial) -> None:
    one, again = await only(t, await seeded(t)), await only(t, await seeded(t, copy=1))
    t.branch(f"equal seeds: {degree(one.image, again.image)}")
    if not like(one.image, again.image):
        t.fail(
            "like pictures for the same seed",
            f"other ones ({degree(one.image, again.image)})",
            one.download,
            again.download,
        )
    foreign = await only(t, await seeded(t, seed=7 + 2**31))  # the same one to whoever keeps 31 bits
    if not other(one.image, foreign.image):
        t.fail("another picture for another seed", "a like one", one.download, foreign.download)
    several = await t.session.pictures(await grid(t))
    for index, left in enumerate(several):
        for right in several[index + 1 :]:
            if not other(left.image, right.image):
                expected = f"other pictures in places {index} and {right.index} of one task"
                t.fail(expected, "like pictures", left.download, right.download)


@area.check("V2-IMAGE-005", needs=PLAIN, phase=Phase.EXPIRY)
async def a_link_dies_with_its_time(t: Trial) -> None:
    blames = {TXT2IMG_V2: "V2-TXT2IMG-009", IMG2IMG_V2: "V2-IMG2IMG-009"}
    tasks: list[Task] = []
    for operation_id in await both(t):
        body = await plain(t, operation_id, img_expire_ttl=TTL_S)
        tasks.append(await t.finished(operation_id, body, blame=blames[operation_id]))
    if t.session.clock:
        await t.session.clock.advance(TTL_S + 1)
    until_s = timing.now() + TTL_S + min(GRACE_S, t.target.patience_s)
    for task in tasks:
        while (alive := await _alive(t, task)) is not None:
            if timing.now() > until_s:
                expected = f"no picture {TTL_S} s after the task's end, for img_expire_ttl is {TTL_S}"
                t.fail(expected, alive.brief(), task, alive)
            await timing.pause(0.25)


async def _alive(t: Trial, task: Task) -> Exchange | None:
    """A download that still gives a picture; None when no link of the task does."""
    for entry in links(task.result, v2=True):
        download = await t.session.fetch(entry["image_url"])
        if download.status is not None and 200 <= download.status <= 299:
            try:
                decoded(download.body)
            except (OSError, ValueError, SyntaxError):
                continue
            return download
    return None
