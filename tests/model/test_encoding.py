from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
import torch
from peft import LoraConfig
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from torch import nn

from model.base.encoder import load_encoder
from model.base.load import LoadedBase
from model.encoding import lora
from model.encoding.files import AdapterContent, from_files, origin_of, to_files
from model.encoding.gaussian import GaussianHead, Gaussians, kl_divergences, symmetrised_kl
from model.encoding.loop import TrainedPart, optimise, tail_mean
from model.encoding.lora import LoraShape
from model.encoding.running import by_length, padded, position_limit, states_of
from model.encoding.schedule import Schedule, batches_of
from model.encoding.tags import io_tags_of, spans_of_io
from model.encoding.tuning import TunedEncoder, Tuning
from model.encoding.words import pieces_of
from model.errors import AdapterError, DivergedError
from model.method import Progress
from model.spans import Span
from tiny_encoder import write_tiny_encoder

SHAPE = LoraShape(4, 8, ("dense", "key", "query", "value"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_encoder(tmp_path_factory.mktemp("encoder") / "tiny")


@pytest.fixture
def base(folder: Path) -> LoadedBase:
    return load_encoder(folder, str(folder))


def random_lora(base: LoadedBase) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(3)
    fresh = lora.fresh_tensors(base.model, SHAPE, 1)
    return {name: torch.randn(own.shape, generator=generator) * 0.2 for name, own in fresh.items()}


def test_divergence_of_two_gaussians() -> None:
    """One dimension, N(0, 1) and N(1, 4).

    KL(1||2) = 1/2 [1/4 + 1/4 - 1 - log(1/4)] = 1/2 [-1/2 + 1.386294] = 0.443147;
    KL(2||1) = 1/2 [4 + 1 - 1 - log 4] = 1/2 [4 - 1.386294] = 1.306853; their mean is 0.875.
    """
    first = Gaussians(torch.zeros(1, 1), torch.ones(1, 1))
    second = Gaussians(torch.ones(1, 1), torch.full((1, 1), 4.0))
    assert float(kl_divergences(first, second)) == pytest.approx(0.443147, abs=1e-5)
    assert float(kl_divergences(second, first)) == pytest.approx(1.306853, abs=1e-5)
    assert float(symmetrised_kl(first, second)) == pytest.approx(0.875, abs=1e-5)


def test_the_symmetrised_divergence_is_symmetric_and_zero_on_itself() -> None:
    torch.manual_seed(0)
    head = GaussianHead(6, 4)
    some = head.eval()(torch.randn(5, 6))
    assert bool((some.variances > 0).all())
    apart = symmetrised_kl(some, some)
    torch.testing.assert_close(apart, apart.T)
    torch.testing.assert_close(apart.diagonal(), torch.zeros(5), atol=1e-5, rtol=0)
    torch.testing.assert_close(symmetrised_kl(some[:2], some), apart[:2])


def test_padding_changes_no_state(base: LoadedBase) -> None:
    short, long = (2, 7, 8, 3), (2, 9, 10, 11, 12, 13, 3)
    ids, mask = padded([short, long], 0)
    assert ids.tolist()[0] == [2, 7, 8, 3, 0, 0, 0]
    assert mask.tolist()[0] == [1, 1, 1, 1, 0, 0, 0]
    with torch.inference_mode():
        together = states_of(base.model, [short, long])
        alone = states_of(base.model, [short])
        torch.testing.assert_close(together[0, :4], alone[0], atol=1e-5, rtol=1e-4)
        layers = base.model(input_ids=ids, attention_mask=mask, output_hidden_states=True)
        every = torch.stack(layers.hidden_states)  # the tiny encoder has fewer than four
        torch.testing.assert_close(
            states_of(base.model, [short, long], layers="sum4"), every.sum(0)
        )
        torch.testing.assert_close(
            states_of(base.model, [short, long], layers="mean4"), every.mean(0)
        )
    assert position_limit(base.model) == 64


def test_io_tags_merge_neighbours_and_overlap_counts() -> None:
    words = [(0, 3), (4, 7), (8, 12)]
    spans = [Span(0, 3, "A"), Span(4, 7, "A"), Span(9, 11, "B")]
    tags = io_tags_of(words, spans, ["A", "B"])
    assert tags == [1, 1, 2]
    back = spans_of_io(words, tags, [0.5, 1.0, 1.0], ["A", "B"])
    assert [span.key for span in back] == [(0, 7, "A"), (8, 12, "B")]
    assert back[0].score == 0.75


@pytest.mark.parametrize("text", ["😀 Ann met 東京 Ben", "é Ann 👩‍👩‍👧 in Oslo", "東京都"])
def test_offsets_are_code_points(base: LoadedBase, text: str) -> None:
    words = [word for piece in pieces_of(base.tokenizer, text, 32) for word in piece.words]
    assert words == sorted(words)
    assert all(0 <= start < end <= len(text) for start, end in words)
    found = {text[start:end] for start, end in words}
    assert {"Ann", "Ben", "Oslo", "東"} & found


def test_the_space_before_a_word_is_no_part_of_it() -> None:
    """SentencePiece's tokens carry the space in front of a word."""
    vocabulary = [
        ("<s>", 0.0),
        ("\u2581ann", -1.0),
        ("\u2581ben", -1.0),
        ("</s>", 0.0),
        ("?", -9.0),
    ]
    tokenizer = Tokenizer(models.Unigram(vocabulary, unk_id=4))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 3)]
    )
    (piece,) = pieces_of(tokenizer, "ann  ben", 16)
    assert piece.words[0] == (0, 3)
    assert piece.words[-1] == (5, 8)
    assert (piece.ids[0], piece.ids[-1]) == (0, 3)


def test_rows_come_in_whole_passes() -> None:
    batches = list(batches_of([1, 2, 3], Schedule(2, 2), 1))
    assert [len(batch) for batch in batches] == [2, 1, 2, 1]
    assert sorted(batches[0] + batches[1]) == [1, 2, 3]
    assert batches == list(batches_of([1, 2, 3], Schedule(2, 2), 1))
    assert len(list(batches_of([1, 2, 3], Schedule(1, 2, max_steps=1), 1))) == 1
    assert len(list(batches_of([1], Schedule(1, 2, min_steps=5), 1))) == 5


def test_groups_hold_jobs_of_similar_size() -> None:
    assert list(by_length(["ccc", "a", "bb"], [3, 1, 2], 2)) == [["a", "bb"], ["ccc"]]


def test_one_step_of_adamw_and_a_loss_that_is_no_number() -> None:
    """The first step of AdamW moves by the rate, against the gradient's sign: 1 - 0.5 = 0.5."""
    weight = nn.Parameter(torch.tensor([1.0]))
    losses = optimise([TrainedPart([weight], 0.5)], [3.0], lambda x: x * weight.sum(), warmup=0)
    assert losses == [3.0]
    assert float(weight.detach()) == pytest.approx(0.5, abs=1e-4)
    with pytest.raises(DivergedError):
        optimise([TrainedPart([weight], 0.5)], [float("nan")], lambda x: x * weight.sum())
    stopped = optimise(
        [TrainedPart([weight], 0.1)],
        [1.0] * 9,
        lambda _: weight.sum(),
        stop=lambda own: len(own) > 2,
    )
    assert len(stopped) == 2
    assert tail_mean([9.0, 1.0]) == 1.0


def test_a_lora_beside_the_weights_is_the_lora_inside_them(base: LoadedBase) -> None:
    tensors = random_lora(base)
    encoder = TunedEncoder(base.model)
    ids = torch.tensor([[2, 9, 10, 3]])
    with torch.inference_mode():
        before = base.model(ids).last_hidden_state
        trained = encoder.trained_copy(Tuning(SHAPE, tensors), SHAPE, 0.0)
        beside = trained.network.eval()(ids).last_hidden_state
        inside = encoder.carry(Tuning(SHAPE, tensors))(ids).last_hidden_state
        torch.testing.assert_close(inside, beside, atol=1e-5, rtol=1e-4)
        assert float((inside - before).abs().max()) > 1e-3
        fresh = Tuning(SHAPE, lora.fresh_tensors(base.model, SHAPE, 1))
        torch.testing.assert_close(encoder.carry(fresh)(ids).last_hidden_state, before)
    assert {name for name, p in trained.network.named_parameters() if p.requires_grad} == {
        name for name, _ in trained.network.named_parameters() if "lora_" in name
    }
    assert trained.tuning().tensors.keys() == tensors.keys()


def test_all_weights_start_from_the_lora_added_in(base: LoadedBase) -> None:
    encoder = TunedEncoder(base.model)
    start = Tuning(SHAPE, random_lora(base))
    whole = encoder.trained_copy(start, None, 0.0)
    ids = torch.tensor([[2, 9, 10, 3]])
    with torch.inference_mode():
        expected = encoder.carry(start)(ids).last_hidden_state
        found = encoder.carry(whole.tuning())(ids).last_hidden_state
    torch.testing.assert_close(found, expected)
    with pytest.raises(AdapterError, match="whole weights"):
        encoder.trained_copy(whole.tuning(), SHAPE, 0.0)


def test_peft_reads_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "adapter_config.json").write_text(json.dumps(SHAPE.to_json("tiny")))
    read = LoraConfig.from_pretrained(str(tmp_path))
    assert (read.r, read.lora_alpha) == (4, 8)
    assert LoraShape.from_json(SHAPE.to_json("tiny")) == SHAPE
    for broken in ({"r": 99}, {"bias": "all"}, {"lora_alpha": 0}):
        with pytest.raises(AdapterError):
            LoraShape.from_json({**SHAPE.to_json("tiny"), **broken})


def test_matrices_of_another_encoder_are_refused(base: LoadedBase) -> None:
    tensors = random_lora(base)
    tensors.pop(random.Random(0).choice(sorted(tensors)))
    with pytest.raises(AdapterError, match="do not belong"):
        TunedEncoder(base.model).carry(Tuning(SHAPE, tensors))
    with pytest.raises(AdapterError, match="no layers called"):
        lora.fresh_tensors(base.model, LoraShape(4, 8, ("nothing",)), 1)


def test_files_are_written_whole_and_checked_when_read(base: LoadedBase) -> None:
    origin = origin_of("m", base, {"x": 1}, 7)
    parts = {"w": torch.ones(2)}, {"r": 1}, origin
    files = to_files(AdapterContent(*parts, heads={"h": torch.zeros(1)}))
    assert set(files) == {
        "adapter_model.safetensors",
        "adapter_config.json",
        "nerloop.json",
        "heads.safetensors",
    }
    read = from_files(files, "m", base.digest)
    assert (read.config, read.origin, read.support) == ({"r": 1}, origin, {})
    torch.testing.assert_close(read.weights["w"], torch.ones(2))
    for broken, message in (
        ({"adapter_model.safetensors": b"?"}, "damaged"),
        ({"nerloop.json": b"[]"}, "damaged"),
        ({"nerloop.json": b'{"method": "other"}'}, "another method"),
        ({"nerloop.json": b'{"method": "m", "base_digest": "x"}'}, "base model"),
    ):
        with pytest.raises(AdapterError, match=message):
            from_files({**files, **broken}, "m", base.digest)
    with pytest.raises(AdapterError, match="lacks"):
        from_files({}, "m", base.digest)
    infinite = to_files(AdapterContent({"w": torch.tensor([float("inf")])}, {}, origin))
    with pytest.raises(AdapterError, match="not finite"):
        from_files(infinite, "m", base.digest)


def test_steps_tell_the_norm_of_the_gradient_before_it_is_clipped() -> None:
    """The loss (w0^2 + w1^2) / 2 at (3, 4) has the gradient (3, 4), whose norm is 5."""
    weight = nn.Parameter(torch.tensor([3.0, 4.0]))
    told: list[Progress] = []
    optimise(
        [TrainedPart([weight], 1e-3)],
        [None],
        lambda _batch: (weight**2).sum() / 2,
        clip=0.1,
        on_step=told.append,
    )
    assert [own.gradient_norm for own in told] == [pytest.approx(5.0)]
