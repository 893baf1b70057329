"""The receipt's bits: what is written is read, a little damage is repaired, more is said."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockserver.pictures import NotAReceipt
from mockserver.pictures.receipt import CELLS, SIDE, cell_bits, read_cells

DIGESTS = st.binary(min_size=16, max_size=16)


def cells_of(bits: int) -> list[float]:
    """Sure values for all cells."""
    return [100.0 if bits >> (CELLS - 1 - cell) & 1 else -100.0 for cell in range(CELLS)]


@given(digest=DIGESTS, index=st.integers(0, 255), seed=st.integers(0, 2**64 - 1))
def test_what_was_written_is_read(digest: bytes, index: int, seed: int) -> None:
    """Digest, index and the whole 64-bit seed come back, marked exact."""
    receipt = read_cells(cells_of(cell_bits(digest, index, seed)))
    assert receipt is not None
    assert (receipt.digest, receipt.index, receipt.seed, receipt.exact) == (digest, index, seed, True)


@given(digest=DIGESTS, seed=st.integers(min_value=-(2**70), max_value=2**70))
def test_a_seed_of_any_size_is_taken_modulo_64_bits(digest: bytes, seed: int) -> None:
    """A seed beyond 64 bits neither fails nor spills into other fields."""
    receipt = read_cells(cells_of(cell_bits(digest, 0, seed)))
    assert receipt is not None
    assert receipt.seed == seed % 2**64


@given(digest=DIGESTS, wrong=st.lists(st.integers(0, CELLS - 1), min_size=1, max_size=3, unique=True))
def test_three_weak_cells_are_repaired_and_it_says_so(digest: bytes, wrong: list[int]) -> None:
    """Cells that are both wrong and unsure are turned over until the checksum fits; the receipt is then not exact."""
    cells = cells_of(cell_bits(digest, 3, 42))
    for cell in wrong:
        cells[cell] *= -0.01
    receipt = read_cells(cells)
    assert receipt is not None
    assert (receipt.digest, receipt.index, receipt.seed, receipt.exact) == (digest, 3, 42, False)


def test_a_wrong_checksum_is_said() -> None:
    """A receipt with many wrong cells is reported as damaged, and no value is given."""
    cells = cells_of(cell_bits(bytes(16), 0, 1))
    for cell in range(40, 60):
        cells[cell] *= -1
    with pytest.raises(NotAReceipt, match="checksum") as caught:
        read_cells(cells)
    assert caught.value.damaged


def test_noise_is_no_receipt() -> None:
    """Two thousand random patterns hold no receipt."""
    chance = random.Random(5)
    for _ in range(2000):
        assert read_cells([chance.uniform(-1, 1) for _ in range(CELLS)]) is None


@pytest.mark.parametrize("digest", [bytes(16), b"\xff" * 16], ids=["zeros", "ones"])
@pytest.mark.parametrize("seed", [0, 2**64 - 1])
def test_light_and_dark_stay_in_balance(digest: bytes, seed: int) -> None:
    """However plain the values are, no row of cells is all light or all dark."""
    for index in range(16):
        bits = f"{cell_bits(digest, index, seed):0{CELLS}b}"
        rows = [bits[row : row + SIDE].count("1") for row in range(0, CELLS, SIDE)]
        assert all(0 < ones < SIDE for ones in rows)
        assert 96 <= sum(rows) <= 160


def test_pictures_of_one_task_look_different() -> None:
    """Another index changes about half of the cells, not just its own byte."""
    first, second = cell_bits(bytes(16), 0, 42), cell_bits(bytes(16), 1, 42)
    assert (first ^ second).bit_count() > 80
