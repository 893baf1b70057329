"""From a submit call to its task, and from a task back to the recipe of its pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache, partial
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from mockserver.calls import Call, dump_body, parse_body, read_body, refusal_of
from mockserver.core.errors import Refusal
from mockserver.core.findings import Code, Finding
from mockserver.core.recipe import Recipe
from mockserver.core.task import Task
from mockserver.faults.breaks import hides_task
from mockserver.faults.facts import Facts
from mockserver.faults.kinds import LOSING, Kind
from mockserver.faults.marks import may_ask
from mockserver.faults.plan import Armed
from mockserver.faults.points import SUBMITTING, Point
from mockserver.mock import Mock
from mockserver.money.fingerprint import fingerprint
from mockserver.money.verdicts import VerdictKind
from mockserver.submissions.inputs import Pictures, StoredPictures, SubmittedPictures
from mockserver.submissions.submission import Context, Reader, Submission
from mockserver.trouble import Disturbed
from openapi.document import Reading

if TYPE_CHECKING:
    from mockserver.faults.directives import Spell
    from mockserver.faults.effects import Effect


def submit(call: Call) -> Task:
    """Accepts a submit call: its task, source pictures kept, body with references to them.

    Raises:
        Refusal: the contract refuses it.
    """
    body = read_body(call)
    operation_id, mock = call.operation.operation_id, call.mock
    spell = _spell(body, call.operation.version) if mock.settings.magic else None
    pictures = SubmittedPictures(mock.inputs, mock.document.picture_limits)
    submission = _reader(operation_id)(body, _context(operation_id, mock, pictures))
    call.findings.extend(submission.findings)
    if submission.delivery.storage is not None and mock.uploader is None:
        call.findings.append(_not_stored(operation_id))
    kept = dump_body(body) if pictures.taken else call.body
    world, delivery = call.world, submission.delivery
    if delivery.webhook_url is not None:
        world.base_url = call.base_url
    own = () if spell is None else _own_rules(call, spell)
    facts = None
    if world.faults.active and not world.faults.points.isdisjoint(SUBMITTING):
        facts = Facts(operation_id=operation_id, body=kept, task=world.created, own=own)
    try:
        if facts is not None:
            call.trouble(Point.SUBMIT_BEFORE, facts)
        task = mock.submit(world, operation_id, submission, kept, spell, own)
    except (Disturbed, Refusal) as refused:
        how = str(refused.effect) if isinstance(refused, Disturbed) else refused.reason.value

        life = world.tasks

        def note() -> None:
            if world.tasks is life:  # else the world was reset while the client waited
                world.verdicts.refused_before_commit(fingerprint(operation_id, kept), world.clock.now_ms(), how)

        if isinstance(refused, Disturbed) and refused.effect.kind is Kind.DELAY:
            call.on_gone = note  # it is carried out after the wait, unless its client leaves
        else:
            note()
        raise
    pictures.keep()
    if world.verdicts.pending:
        _judge_repeat(call, task)
    if facts is not None:
        effect = call.trouble(Point.SUBMIT_AFTER_COMMIT, facts)
        if effect is not None:
            _note_loss(call, task, effect)
        if delivery.webhook_url is not None:
            _tell_before_answer(call, task, facts)
        if own and (effect is None or effect.kind not in LOSING):
            world.faults.answered(_digest(call))
    return task


def _not_stored(operation_id: str) -> Finding:
    from mockserver.storage.failures import INSTALL
    from mockserver.storage.s3 import s3_available

    text = "no storage is set up: the pictures stay with the mock, and nothing is put into the bucket; start with --s3"
    if not s3_available():
        text = f"{text}, and {INSTALL}"
    return Finding(Code.NOT_SIMULATED, f"{operation_id}: extra.custom_storage", text)


def _spell(body: dict[str, Any], version: str) -> Spell | None:
    """What a request's magic inputs ask for; v2 has no object around what is to be drawn, whatever a body holds."""
    drawing = body if version == "v2" else body["request"]
    if not may_ask(drawing):
        return None
    from mockserver.faults.magic import spell_of  # few requests have any

    return spell_of(drawing, "prompt" if version == "v2" else "request.prompt")


def _own_rules(call: Call, spell: Spell) -> Sequence[Armed]:
    """The rules that a request asks for itself; those that are to last are put in force."""
    plan, now_ms = call.world.faults, call.world.clock.now_ms()
    for rule in spell.lasting:
        plan.arm_once(rule, now_ms)
    return plan.own_rules(_digest(call), spell.rules, now_ms) if spell.rules else ()


def _digest(call: Call) -> bytes:
    """The same for the same request sent again."""
    return blake2b(call.body, key=call.operation.operation_id.encode(), digest_size=16).digest()


def _tell_before_answer(call: Call, task: Task, facts: Facts) -> None:
    """The fault plan may let a task end at once and its webhook arrive before the submit is answered."""
    world, now_ms = call.world, call.world.clock.now_ms()
    if task.vanished_at(now_ms):  # nobody will ever be told of it
        return
    effect = world.faults.decide(Point.WEBHOOK_BEFORE_REPLY, str(call.number), facts, now_ms)
    if effect is None:
        return
    if not task.ended_at(now_ms):
        world.end_task(task, task.outcome, task.reason)
    if call.effect is None:  # else it is known already whether the answer is lost
        _note_loss(call, task, effect)
        call.effect = effect
    call.before_answer = partial(call.mock.courier.told, world, task)


def _judge_repeat(call: Call, task: Task) -> None:
    """A submission may repeat one whose answer was lost: that is paid twice."""
    verdict = call.world.verdicts.submitted(
        fingerprint(task.operation_id, task.body), task.id, task.submitted_ms, task.price_micro_usd
    )
    if verdict is not None and verdict.kind is VerdictKind.DOUBLE_SPEND:
        call.findings.append(Finding(Code.RETRIED_UNKNOWN_OUTCOME, task.operation_id, verdict.message))


def _note_loss(call: Call, task: Task, effect: Effect) -> None:
    """The task is made and paid; whether the client learns of it is another matter."""
    world = call.world

    def lost() -> None:
        if world.tasks.get(task.id) is not task:  # the world was reset while the client waited
            return
        world.verdicts.lost(
            fingerprint(task.operation_id, task.body), task.id, task.submitted_ms, task.price_micro_usd, str(effect)
        )

    if effect.kind in LOSING or hides_task(effect):
        lost()
    else:
        call.on_gone = lost


def recipe_of(task: Task, mock: Mock) -> Recipe:
    """The recipe of a task, read again from its request, with the seed in use."""
    operation = mock.document.operations[task.operation_id]
    context = _context(task.operation_id, mock, StoredPictures(mock.inputs))
    submission = _reader(task.operation_id)(parse_body(task.body, operation.version), context)
    return replace(submission.recipe, seed=task.seed)


def submission_of(operation_id: str, raw: bytes, mock: Mock) -> Submission:
    """What a submit's body asks for, as far as the tolerated reading takes it; nothing of it is kept.

    Raises:
        Refusal: the contract refuses it.
    """
    operation = mock.document.operations[operation_id]
    body = parse_body(raw, operation.version)
    if not operation.is_valid(body, Reading.TOLERATED):
        raise refusal_of(operation, operation.problems(body, Reading.TOLERATED))
    pictures = SubmittedPictures(mock.inputs, mock.document.picture_limits)
    return _reader(operation_id)(body, _context(operation_id, mock, pictures))


@cache
def _reader(operation_id: str) -> Reader:
    """What reads the bodies of an operation; imported at the first submit, so that the server is up sooner."""
    from mockserver.submissions import v2, v3

    readers: dict[str, Reader] = {
        "createTxt2imgTask": v3.read_txt2img,
        "createImg2imgTask": v3.read_img2img,
        "createTxt2imgTaskV2": v2.read_txt2img,
        "createImg2imgTaskV2": v2.read_img2img,
    }
    return readers[operation_id]


def _context(operation_id: str, mock: Mock, pictures: Pictures) -> Context:
    settings = mock.settings
    return Context(
        operation_id=operation_id,
        catalogue=mock.catalogue,
        pictures=pictures,
        any_model=settings.any_model,
        strict=settings.strict,
        illegal_words=settings.illegal_words,
        magic=settings.magic,
    )
