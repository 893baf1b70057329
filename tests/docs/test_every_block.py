"""No block of the tutorial, the guides and the migrations slips through: each is run, or its reason is written down."""

from __future__ import annotations

import pytest

from tests.docs.blocks import ROOT, Block, blocks, used_pages
from tests.docs.shell import steps
from tests.docs.uses import (
    DATA,
    ELSEWHERE,
    FILES,
    LINES,
    NOT_RUN,
    NOT_TYPED,
    OUTPUT,
    PROGRAMS,
    SCRIPTS,
    SESSIONS,
    SHORT,
    UNDERSTOOD,
)


def is_run(block: Block) -> bool:
    """Whether some test of ours uses a block as its readers do."""
    if block.page in ELSEWHERE:
        return True
    match block.language:
        case "console":
            return block.page in SESSIONS or block.page in UNDERSTOOD
        case "sh":
            return block.page in FILES or block.page in UNDERSTOOD or block.page in LINES
        case "python" | "toml" | "mjs" | "js":
            named = block.file_name is not None and (block.page in FILES or block.page in SESSIONS)
            return named or (block.language == "python" and block.page in (*SCRIPTS, *PROGRAMS))
    return block.language in DATA or block.language in OUTPUT


@pytest.mark.parametrize("page", used_pages())
def test_every_block_is_run_or_has_a_reason(page: str) -> None:
    left = [block for block in blocks(page) if not is_run(block) and (page, block.first) not in NOT_RUN]
    assert [f"{block.language}: {block.first}" for block in left] == []


def test_the_reasons_are_those_of_blocks_that_are_there() -> None:
    there = {(page, block.first) for page in used_pages() for block in blocks(page)}
    assert set(NOT_RUN) - there == set()
    assert all(len(reason) > 20 for reason in NOT_RUN.values())


@pytest.mark.parametrize(("page", "start"), [*NOT_TYPED, *SHORT])
def test_commands_with_a_reason_are_there(page: str, start: str) -> None:
    """In a block that is typed; what is added to one is not there already."""
    typed = [one for block in blocks(page, "console", "sh") if is_run(block) for one in steps(block.text)]
    found = [one.command for one in typed if one.command.startswith(start)]
    assert found
    flags, reason = SHORT.get((page, start), ("", NOT_TYPED.get((page, start), "")))
    assert len(reason) > 20
    assert not flags or not any(flags in command for command in found)


def test_blocks_that_have_tests_of_their_own_do_have_them() -> None:
    for page, test in ELSEWHERE.items():
        assert page.rpartition("/")[2] in (ROOT / test).read_text(encoding="utf-8")


def test_the_pages_of_the_tables_are_pages_that_people_follow() -> None:
    assert {*FILES, *SESSIONS, *SCRIPTS, *UNDERSTOOD, *ELSEWHERE} <= set(used_pages())
