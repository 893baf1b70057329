"""Prompts as vectors: diffusers' own where it can, A1111's rules beyond."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from reference_impl.engine.embeddings import embeddings_for
from reference_impl.engine.encoding import encode
from reference_impl.engine.engine import LocalEngine
from reference_impl.engine.loading import Loaded
from reference_impl.jobs import CannotDraw
from tests.reference.engine.conftest import Draw


@pytest.fixture
def plain(checkpoint: Callable[[str], Loaded]) -> Loaded:
    return checkpoint("plain")


@pytest.fixture
def large(checkpoint: Callable[[str], Loaded]) -> Loaded:
    return checkpoint("large")


def one(checkpoint: Loaded, prompt: str, clip_skip: int | None = None, **more: Any) -> Tensor:
    with torch.no_grad():
        return encode(checkpoint, [prompt], clip_skip, **more)[0].tokens


PROMPT = "a red circle, photo of a cat"


def test_a_plain_prompt_is_encoded_as_diffusers_does(plain: Loaded) -> None:
    with torch.no_grad():
        theirs, negative = plain.pipeline.encode_prompt(PROMPT, "cpu", 1, True, negative_prompt="dog")
    assert torch.equal(one(plain, PROMPT), theirs)
    assert torch.equal(one(plain, "dog"), negative)


@pytest.mark.parametrize("clip_skip", [None, 1, 2])
def test_a_plain_prompt_for_sdxl_is_encoded_as_diffusers_does(large: Loaded, clip_skip: int | None) -> None:
    with torch.no_grad():
        theirs, _, pooled, _ = large.pipeline.encode_prompt(
            PROMPT, device="cpu", do_classifier_free_guidance=False, clip_skip=(clip_skip or 1) - 1
        )
        ours = encode(large, [PROMPT], clip_skip)[0]
    assert torch.equal(ours.tokens, theirs)
    assert ours.pooled is not None
    assert torch.equal(ours.pooled, pooled)


def test_clip_skip_counts_layers_from_the_end(plain: Loaded) -> None:
    encoder = plain.encoders[0]
    with torch.no_grad():
        ids = encoder.tokenizer(PROMPT, padding="max_length", return_tensors="pt").input_ids
        hidden = encoder.model(ids, output_hidden_states=True).hidden_states
        second = getattr(encoder.model, "text_model", encoder.model).final_layer_norm(hidden[-2])
    assert torch.equal(one(plain, PROMPT, 1), one(plain, PROMPT))
    assert torch.equal(one(plain, PROMPT, 2), second)
    assert torch.equal(one(plain, PROMPT, 12), one(plain, PROMPT, 3)), "there are three layers"


def test_weight_one_changes_nothing_and_another_weight_does(plain: Loaded) -> None:
    assert torch.equal(one(plain, "a (cat:1.0)"), one(plain, "a cat"))
    assert not torch.equal(one(plain, "a (cat:1.4)"), one(plain, "a cat"))


def test_a_chunk_keeps_its_mean_under_weights(plain: Loaded) -> None:
    torch.testing.assert_close(one(plain, "a (cat:1.4)").mean(), one(plain, "a cat").mean())


def test_a_long_prompt_takes_more_chunks_and_the_others_are_padded(plain: Loaded) -> None:
    with torch.no_grad():
        negative, positive = encode(plain, ["dog", "red cat " * 60])
    assert positive.length == negative.length == 2 * 77
    assert torch.equal(negative.tokens[:, :77], one(plain, "dog"))


def test_a_chunk_is_cut_at_a_comma_rather_than_in_a_phrase(plain: Loaded) -> None:
    cut = one(plain, "cat " * 70 + ", " + "red dog photo circle square blue")
    assert torch.equal(cut[:, :77], one(plain, "cat " * 70 + ","))
    assert torch.equal(cut[:, 77:], one(plain, "red dog photo circle square blue"))


def test_break_begins_a_chunk(plain: Loaded) -> None:
    both = one(plain, "a cat BREAK a dog")
    assert torch.equal(both, torch.cat([one(plain, "a cat"), one(plain, "a dog")], dim=1))


@pytest.mark.parametrize("word", ["learned", "mystyle", "LEARNED", "learned.pt"])
def test_a_learned_word_is_known_by_file_and_by_trigger(plain: Loaded, engine: LocalEngine, word: str) -> None:
    text = f"a {word} cat"
    found = embeddings_for(plain, (), (text,), engine.tools)
    with_it = one(plain, text, embeddings=found)
    vectors = found[0].vectors[0]
    assert vectors.shape[0] == 2
    assert not torch.equal(with_it, one(plain, text))
    same = one(plain, "a learned cat", embeddings=found)
    assert torch.equal(with_it, same)


def test_a_word_of_several_vectors_takes_as_many_places(plain: Loaded, engine: LocalEngine) -> None:
    """Capital letters included, which diffusers' own way loses all but the first vector of."""
    found = embeddings_for(plain, ("Multi",), ("Multi",), engine.tools)
    seen: list[Tensor] = []
    hook = plain.encoders[0].model.get_input_embeddings().register_forward_hook(lambda m, a, out: seen.append(out))
    try:
        one(plain, "Multi", embeddings=found)
    finally:
        hook.remove()
    assert torch.equal(seen[0][0, 1:4], found[0].vectors[0]) or seen[0].shape == (1, 77, 16)
    assert not torch.equal(one(plain, "Multi", embeddings=found), one(plain, "Multi"))


def test_encoding_leaves_tokenizer_and_encoder_as_they_were(plain: Loaded, engine: LocalEngine) -> None:
    before, words = one(plain, "learned cat"), len(plain.encoders[0].tokenizer)
    one(plain, "learned cat", embeddings=embeddings_for(plain, (), ("learned",), engine.tools))
    assert torch.equal(one(plain, "learned cat"), before)
    assert len(plain.encoders[0].tokenizer) == words


def test_an_sdxl_embedding_has_a_vector_for_each_encoder(large: Loaded, engine: LocalEngine) -> None:
    found = embeddings_for(large, ("both",), ("both",), engine.tools)
    assert [tuple(vectors.shape) for vectors in found[0].vectors] == [(1, 16), (1, 16)]
    assert not torch.equal(one(large, "a both", embeddings=found), one(large, "a both"))


def test_a_listed_embedding_that_does_not_fit_is_refused_and_a_named_one_is_only_text(
    plain: Loaded, engine: LocalEngine
) -> None:
    with pytest.raises(CannotDraw, match="foreign"):
        embeddings_for(plain, ("foreign",), ("",), engine.tools)
    assert embeddings_for(plain, (), ("foreign",), engine.tools) == []


def test_an_embedding_that_is_not_there_is_refused(draw: Draw) -> None:
    with pytest.raises(CannotDraw, match="nobody_knows"):
        draw(embeddings=("nobody_knows",))


def test_an_embedding_changes_the_picture_of_a_prompt_that_names_it(draw: Draw) -> None:
    without, with_it = draw(prompt="a red circle")[0], draw(prompt="a red circle, learned")[0]
    assert without.distance(with_it) > 0
    assert draw(negative_prompt="learned")[0].distance(without) > 0
