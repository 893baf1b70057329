"""Input that nobody should send."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from uuid import UUID

from conformance import stories
from conformance.bodies import IMG2IMG, RESULT, TXT2IMG, Body, changed
from conformance.checks.img2img_v3_refusals import judge_answers
from conformance.client import Key, Says
from conformance.errors import Broken
from conformance.expect import accepted_v3, an_answer, status_between
from conformance.hostile import DEEP, HOSTILE, MEBIBYTE, ODD_IDS, large_submit, nested, strange_requests
from conformance.registry import Area, Phase
from conformance.sources import cut_off, empty_area, header_only, inflated_jpeg
from conformance.tasks import ended
from conformance.trial import Trial
from conformance.wire import MISSING, Exchange

area = Area()

PLAIN = ("V3-TXT2IMG-001",)
TOO_LARGE = 8 * MEBIBYTE
"""A body of more than this may be left without an answer; no documented limit lies below."""
LARGE_BODY_MIB = 64
BOMB_LIMIT_S = 10.0
BOMB = "a submit to be refused for its small source: "
AT_ONCE = 16
SEED = 20240302
"""Fits 64 bits, and no double rounds it."""
BEYOND_64_BITS = 2**64 + 12345
NOBODYS_TASK = str(UUID(int=0x5F0C_11AA_0000_4000_8000_0000_0000_0002))


@area.check("ROBUST-001", phase=Phase.LAST)
async def nothing_breaks_the_server(t: Trial) -> None:
    await hostile_answers(t)
    for _, answer in sorted(t.session.client.log.exchanges.items()):
        if not _of_the_target(t, answer):
            continue
        if answer.status is None and answer.sent_bytes <= TOO_LARGE and not _given_up(answer):
            t.expect(answer, an_answer())
        if answer.status is not None and answer.status >= 500:
            t.expect(answer, status_between(100, 499))


@area.check("ROBUST-002", needs=PLAIN)
async def a_whole_number_with_a_point_is_read_as_integer_or_refused(t: Trial) -> None:
    plain, refused = await t.txt2img(), []
    for name, value in (("image_num", 1.0), ("steps", 4.0), ("seed", float(SEED)), ("width", 128.0)):
        body = await t.session.free(TXT2IMG, changed(plain, ("request", name), value))
        answer = await t.ask(TXT2IMG, body, purpose=f"a submit with {name} = {value}")
        if not await _taken(t, answer):
            refused.append(name)
    if refused:
        t.branch(f"refused: {', '.join(refused)}")
        return
    whole = await t.txt2img(seed=float(SEED), image_num=1.0, steps=4.0)
    task = await t.finished(TXT2IMG, whole, blame=t.requirement.id)
    images, seed = task.result.at("images"), task.result.at("extra", "seed")
    if len(stories.entries_of(t, task.result)) != 1:
        t.fail("one picture for image_num 1.0", f"images = {images}", task)
    if seed is not MISSING and stories.seed_of(t, task.result) != SEED:
        t.fail(f"the seed {SEED} for {float(SEED)}", repr(seed), task)
    t.branch("read as integers")


@area.check("ROBUST-003")
async def deep_nesting_is_refused(t: Trial) -> None:
    usual = await t.session.refusal_status()
    for operation_id, _ in await t.submits():
        for what, raw in nested(DEEP).items():
            answer = await t.ask(
                operation_id, raw=raw, says=Says.UNCHECKED, purpose=f"{HOSTILE}{DEEP} levels of {what}"
            )
            t.judge_refusal(operation_id, answer, (), usual, "")


@area.check("ROBUST-004")
async def a_body_of_64_mb_is_refused_or_cut_off(t: Trial) -> None:
    answer = await t.session.client.call(
        TXT2IMG, raw=large_submit(LARGE_BODY_MIB), says=Says.UNCHECKED, purpose=f"{HOSTILE}a body of 64 MB"
    )
    if answer.status in (401, 403):  # is it the key, or the size?
        await t.ask(TXT2IMG, {}, says=Says.WRONG, purpose="a small submit to be refused")
    if answer.status is None:
        if answer.took_s >= t.target.timeout_s:
            t.fail("status 400 or 413, or a connection that is cut", answer.brief(), answer)
        t.branch("cut off while it was sent")
    else:
        t.judge_refusal(TXT2IMG, answer, (400, 413), await t.session.refusal_status(), "")


@area.check("ROBUST-005", needs=PLAIN)
async def odd_letters_in_a_prompt_are_not_garbled(t: Trial) -> None:
    for what, prompt in _PROMPTS.items():
        body = await t.session.free(TXT2IMG, await t.txt2img(prompt=prompt))
        # A prompt of that length is refused, and an error may repeat what it refuses.
        too_long = changed(body, ("request", "prompt"), prompt * (1 + 1024 // len(prompt)))
        for sent, escaped in ((body, True), (body, False), (too_long, False)):
            answer = await t.ask(
                TXT2IMG,
                raw=json.dumps(sent, ensure_ascii=escaped).encode(),
                says=Says.UNCHECKED,
                purpose=f"a prompt with {what}",
            )
            await _taken(t, answer)
            _judge_letters(t, answer, prompt)
    await _judge_echo(t)


_PROMPTS = {
    "letters beyond ASCII": "červený kruh, 红色的圆, красный круг, دائرة حمراء",
    "symbols beyond the basic plane": "🙂 a circle 𝄞 👩\u200d🎨",
    "control characters": "a\tred\ncircle\u0001\u001b\u007f",
}


ECHOED = "circle červený красный 红色的圆 🙂\u0001\u001bfield meadow"
"""All kinds between words that any server can repeat."""


async def _judge_echo(t: Trial) -> None:
    """A result may repeat the request; then it repeats the prompt as it was, control characters perhaps left out."""
    body = await t.txt2img(prompt=ECHOED)
    if not await _taken(
        t, await t.ask(TXT2IMG, await t.session.free(TXT2IMG, body), purpose="a prompt of all odd letters")
    ):
        return
    task = await t.finished(TXT2IMG, body, blame=t.requirement.id)
    told = task.result.at("extra", "debug_info", "request_info")
    if not isinstance(told, str):
        return
    try:
        said = json.dumps(json.loads(told), ensure_ascii=False)
    except ValueError:
        said = told
    first, *between, last = ECHOED.split()
    if first in said and last not in said:
        t.fail("the whole prompt in request_info", f"one that ends before {last!r}", task)
    for word in between:
        forms = [word.encode().decode("latin-1"), word.encode("ascii", "replace").decode(), "\ufffd"]
        found = [form for form in forms if form in said and form.strip("?") and not word.isascii()]
        found += [form for form in forms[1:2] if len(form) > MARKS and form in said]
        if found and word not in said:
            t.fail(f"{word!r} in request_info as it was sent", f"{found[0]!r}", task)


MARKS = 2
"""So many question marks in a row may mean something."""


def _judge_letters(t: Trial, answer: Exchange, prompt: str) -> None:
    """What the answer says is UTF-8, and no letter of the prompt is replaced or read as something else."""
    try:
        text = answer.body.decode()
    except UnicodeDecodeError as error:
        t.fail("a body in UTF-8", f"{error.reason} at byte {error.start}", answer)
    said = json.dumps(answer.json, ensure_ascii=False) if answer.json is not MISSING else text
    for word in prompt.split():
        wrong = [word.encode().decode("latin-1"), word.encode().decode("cp1252", "replace")]
        if not word.isascii() and any(form in said for form in wrong):
            t.fail(f"{word!r} as it was sent", f"{wrong[0]!r}", answer)
    if "\ufffd" in said:
        t.fail("the letters that were sent", "replacement characters", answer)


@area.check("ROBUST-006")
async def bytes_that_are_no_utf_8_and_numbers_that_are_none_are_refused(t: Trial) -> None:
    cases: list[tuple[str, str, bytes]] = []
    for operation_id, body in await t.submits():
        text = _with_mark(body, "prompt")
        cases += [(operation_id, f"a prompt with {what}", text.replace(MARK, odd)) for what, odd in _NO_UTF_8.items()]
        numbers = ("guidance_scale", "steps", "seed", *(("strength",) if operation_id == IMG2IMG else ()))
        cases += [
            (operation_id, f"{word.decode()} as {name}", _with_mark(body, name).replace(b'"' + MARK + b'"', word))
            for name in numbers
            for word in (b"NaN", b"Infinity", b"-Infinity")
        ]
    await t.all(t.refused(operation_id, raw=raw, purpose=f"{HOSTILE}{what}") for operation_id, what, raw in cases)


MARK = b"@@"


def _with_mark(body: Body, name: str) -> bytes:
    """The body with a mark where the value of a field of the request stands."""
    return json.dumps(changed(body, ("request", name), MARK.decode())).encode()


_NO_UTF_8: Mapping[str, bytes] = {
    "bytes that never occur in UTF-8": b"a \xff\xfe circle",
    "Latin-1": "rød cirkel".encode("latin-1"),
    "half a letter": "круг".encode()[:-1],
    "an overlong form": b"a \xc0\xaf circle",
    "a surrogate": b"a \xed\xa0\x80 circle",
}


@area.check("ROBUST-007", needs=PLAIN)
async def a_seed_beyond_64_bits_is_refused_or_kept(t: Trial) -> None:
    body = await t.txt2img(seed=BEYOND_64_BITS)
    answer = await t.ask(TXT2IMG, await t.session.free(TXT2IMG, body), purpose="a submit with a seed beyond 64 bits")
    if not await _taken(t, answer):
        t.branch("refused")
        return
    task = await t.finished(TXT2IMG, body, blame=t.requirement.id)
    seed = task.result.at("extra", "seed")
    if seed is MISSING:
        t.branch("accepted; no seed is reported")
    elif stories.seed_of(t, task.result) != BEYOND_64_BITS:
        t.fail(f"the seed {BEYOND_64_BITS} unchanged", repr(seed), task)
    else:
        t.branch("accepted and reported unchanged")


@area.check("ROBUST-008")
async def a_picture_bomb_is_refused_in_time(t: Trial) -> None:
    bombs = {
        "a PNG of 256 megapixels": empty_area(16_000, 16_000),
        "a header of 3,600 megapixels": header_only(60_000, 60_000),
        "a JPEG whose header says 4,000 megapixels": inflated_jpeg(65_000),
    }
    usual = await t.session.refusal_status()
    for what, text in bombs.items():
        answer = await t.ask(
            IMG2IMG,
            await t.img2img(image_base64=text),
            says=Says.MEANING,
            purpose=BOMB + what,
            timeout_s=BOMB_LIMIT_S,
        )
        judge_answers(t, [answer], usual)
        if answer.took_s > BOMB_LIMIT_S:
            t.fail(f"an answer within {BOMB_LIMIT_S:g} s", f"one after {answer.took_s:.1f} s", answer)


@area.check("ROBUST-009")
async def a_picture_that_is_cut_off_is_refused_or_its_task_ends(t: Trial) -> None:
    for kind in ("PNG", "JPEG"):
        body = await t.img2img(image_base64=cut_off(kind))
        answer = await t.ask(IMG2IMG, body, says=Says.MEANING, purpose=f"a submit with half a {kind} as source")
        if not await _taken(t, answer):
            t.branch(f"half a {kind} is refused")
            continue
        task = t.session.task_of(IMG2IMG, body, answer, blame=t.requirement.id)
        try:
            await t.session.finish(task)
        except Broken as end:
            if not task.polls or not ended(task.status, v2=False):
                if end.requirement == "V3-LIFE-002":
                    t.fail("a task that ends", end.actual, task)
                raise
        t.branch(f"half a {kind} is accepted, and its task ends")


@area.check("ROBUST-010")
async def an_odd_task_id_is_an_unknown_one(t: Trial) -> None:
    unknown = await _result(t, NOBODYS_TASK, "a task that nobody made")
    usual = (unknown.status, unknown.at("reason"))
    for what, text in ODD_IDS.items():
        answer = await _result(t, text, f"{HOSTILE}a task id: {what}")
        if answer.status == 400 or (answer.status, answer.at("reason")) == usual:
            continue
        t.fail(f"status 400, or what is said of an unknown task: {unknown.brief()}", answer.brief(), unknown, answer)


async def _result(t: Trial, task_id: str, purpose: str) -> Exchange:
    return await t.ask(RESULT, params={"task_id": task_id}, says=Says.UNCHECKED, purpose=purpose)


@area.check("ROBUST-011", needs=PLAIN, phase=Phase.RETRIES)  # when few others take turns: all sixteen are under way
async def sixteen_submits_at_once_are_each_answered(t: Trial) -> None:
    body = await t.session.free(TXT2IMG, await t.txt2img())
    call = t.session.client.call
    answers = await asyncio.gather(
        *(call(TXT2IMG, body, purpose=f"one of {AT_ONCE} submits at once") for _ in range(AT_ONCE))
    )
    for answer in answers:
        if answer.status != 429 and not (answer.status is not None and 200 <= answer.status <= 299):
            t.fail("status 200 or 429", answer.brief(), answer)


async def _taken(t: Trial, answer: Exchange) -> bool:
    """Whether a submit was accepted; raises when it was not refused either."""
    if accepted_v3().judge(answer)[0]:
        return True
    t.judge_refusal(TXT2IMG, answer, (), await t.session.refusal_status(), "")
    return False


# The hostile story ---------------------------------------------------------------------------------------------------


async def hostile_answers(t: Trial) -> list[Exchange]:
    """Answers to requests of every strange kind; asked once in a run."""
    return await t.once("hostile", lambda: _ask_hostile(t))


async def _ask_hostile(t: Trial) -> list[Exchange]:
    free: Body = await t.session.free(TXT2IMG, await t.txt2img())
    call, request = t.session.client.call, t.session.client.request

    async def ask(purpose: str, operation_id: str, **how: object) -> Exchange:
        return await call(operation_id, says=Says.UNCHECKED, purpose=purpose, **how)  # type: ignore[arg-type]

    answers = []
    for strange in strange_requests(free):
        purpose = HOSTILE + strange.what
        if strange.operation_id:
            how = {"raw": strange.raw, "params": strange.params, "headers": strange.headers}
            answers.append(await ask(purpose, strange.operation_id, **how))
        else:
            headers = strange.headers
            answers.append(await request(strange.method, strange.path, key=Key.OWN, headers=headers, purpose=purpose))
    return answers


def _given_up(answer: Exchange) -> bool:
    """Whether we ourselves waited for a bomb no longer than its own row allows."""
    return answer.purpose.startswith(BOMB) and answer.took_s >= BOMB_LIMIT_S * 0.99


def _of_the_target(t: Trial, answer: Exchange) -> bool:
    """Whether it is the service's own answer, not that of its clock or of a host of pictures."""
    return bool(answer.operation_id) or answer.purpose.startswith(HOSTILE) or answer.url.startswith(f"{t.target.url}/v")
