"""Prediction the published way: one prompt per text and label, beam search over a bag of tokens."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from peft import PeftModel
from torch import Tensor

from model.base.load import LoadedBase
from model.cllmfs.config import CllmfsConfig
from model.cllmfs.overlaps import without_overlaps
from model.cllmfs.prompt import Prompt, PromptEncoder
from model.cllmfs.string_matching import MatchedAnswer, PlainText, answer_limit, bag_of
from model.method import AdapterFiles
from model.spans import LabelSet, Span


def with_adapter(base: LoadedBase, files: AdapterFiles, *, lean: bool = False) -> Any:
    """Put an adapter on a base model with peft.

    Args:
        base: A base model that nothing else uses; it is changed.
        files: The adapter.
        lean: Whether to help the libraries where they are slower than they need be: the adapter is
            added into the weights, and the output layer gets its input in one piece, without which
            the first pass of every answer copies that layer's weights.

    Returns:
        A causal model of transformers, in evaluation mode.
    """
    loader: Any = PeftModel
    with TemporaryDirectory() as folder:
        for name, content in files.items():
            (Path(folder) / name).write_bytes(content)
        # In its own number type: in float32, peft's default, every product would be cast.
        network: Any = loader.from_pretrained(base.model, folder, autocast_adapter_dtype=False)
    if lean:
        network = network.merge_and_unload()
        network.get_output_embeddings().register_forward_pre_hook(_in_one_piece)
    return network.eval()


def _in_one_piece(_layer: Any, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return tuple(states.contiguous() for states in inputs)


@dataclass(frozen=True, slots=True)
class PublishedWay:
    """Prediction by ``generate`` of transformers, as in the code that CLLMFS is compared with.

    One prompt per text and label, batch size 1, beam search without sampling; the tokens of the
    text's words and the markers are allowed in any order, and answers are matched as strings.
    Prompts and settings are those the adapter was trained with.

    Attributes:
        network: A causal model of transformers with the adapter on it.
        encoder: Encoder of texts and questions.
        config: Gives window, descriptions and the rule for overlapping spans.
        beams: Number of beams.
    """

    network: Any
    encoder: PromptEncoder
    config: CllmfsConfig
    beams: int = 4

    def predict(self, text: str, labels: LabelSet) -> list[Span]:
        """The spans of one text; of overlapping ones the most confident, as in our own path."""
        found = [
            Span(mention.start, mention.end, labels.labels[prompt.first].name, confidence)
            for prompt in self._prompts(text, labels)
            for mention, confidence in self._answered(prompt)
        ]
        return sorted(found) if self.config.overlaps else without_overlaps(found)

    def _prompts(self, text: str, labels: LabelSet) -> Iterator[Prompt]:
        config = self.config
        for window in self.encoder.windows(text, limit=config.window):
            yield from self.encoder.prompts(
                window, labels.labels, descriptions=config.descriptions, group=1, packed=False
            )

    def _answered(self, prompt: Prompt) -> list[tuple[Any, float]]:
        tokens, confidence = self._generated(prompt)
        answer = MatchedAnswer(
            PlainText(prompt.text), self.encoder, None, answer_limit(prompt.text)
        )
        for token in (*self.encoder.opening, *tokens):
            if not answer.done:
                answer.take(token)
        return [(mention, confidence) for mention in answer.mentions]

    def _generated(self, prompt: Prompt) -> tuple[Sequence[int], float]:
        """The tokens of an answer, and the exponential of their mean log-probability."""
        encoder = self.encoder
        allowed = list(bag_of(prompt.text, encoder))
        (question,) = prompt.questions
        read = torch.tensor([[*prompt.text.ids, *question.ids, *encoder.opening]])  # (1, n)
        read = read.to(self.network.device)
        kind = self.network.device.type
        with torch.inference_mode(), torch.autocast(kind, torch.bfloat16):
            made = self.network.generate(
                input_ids=read,
                attention_mask=torch.ones_like(read),
                num_beams=self.beams,
                do_sample=False,
                max_new_tokens=answer_limit(prompt.text),
                eos_token_id=encoder.end[-1],
                pad_token_id=encoder.padding,
                prefix_allowed_tokens_fn=lambda _beam, _tokens: allowed,
                return_dict_in_generate=True,
                output_scores=True,
            )
        score = float(made.sequences_scores[0]) if self.beams > 1 else 0.0
        return made.sequences[0, read.shape[1] :].tolist(), min(1.0, math.exp(score))
