"""Submitting on v3: what is accepted, what is refused, and what the answer holds."""

from __future__ import annotations

from conformance.bodies import IMG2IMG, TXT2IMG, changed
from conformance.expect import typed
from conformance.registry import Area
from conformance.trial import Trial

area = Area()


@area.check("V3-SUBMIT-001")
async def a_valid_submit_is_answered_with_200(t: Trial) -> None:
    for operation_id, body in ((TXT2IMG, await t.txt2img()), (IMG2IMG, await t.img2img())):
        task = await t.submitted(operation_id, body, blame=t.requirement.id)
        if task.submit.status != 200:
            t.tolerated(f"it is answered with status {task.submit.status}", task.submit)


@area.check("V3-SUBMIT-002")
async def the_task_id_stands_at_the_top_level(t: Trial) -> None:
    for operation_id, body in ((TXT2IMG, await t.txt2img()), (IMG2IMG, await t.img2img())):
        task = await t.submitted(operation_id, body)
        t.expect(task.submit, typed("task_id", "string", filled=True))


@area.check("V3-TXT2IMG-001")
async def the_eight_required_fields_are_enough(t: Trial) -> None:
    await t.submitted(TXT2IMG, await t.txt2img())


@area.check("V3-TXT2IMG-013")
async def steps_and_guidance_have_a_range(t: Trial) -> None:
    body = await t.txt2img()
    bad = [("steps", 0), ("steps", 101), ("guidance_scale", 0.99), ("guidance_scale", 30.01)]
    await t.all(
        t.refused(TXT2IMG, changed(body, ("request", field), value), at=("request", field)) for field, value in bad
    )
