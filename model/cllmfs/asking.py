"""Asks texts for labels with one of the loaded adapters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from model.base.decoder import Decoder
from model.base.load import LoadedBase
from model.cllmfs.answering import answers_side_by_side
from model.cllmfs.automata import answer_automata
from model.cllmfs.calibration import Calibration
from model.cllmfs.choosing import Chooser
from model.cllmfs.config import CllmfsConfig
from model.cllmfs.decoding import AnswerAutomaton
from model.cllmfs.loaded import LoadedAdapters
from model.cllmfs.outcome import Answer, predictions
from model.cllmfs.prediction import Reader
from model.cllmfs.prompt import Prompt, PromptEncoder
from model.spans import LabelSet, Prediction


@dataclass(frozen=True, slots=True)
class Asker:
    """Texts and labels in, answers out.

    Attributes:
        base: The base model.
        decoder: Its blocks.
        encoder: Encodes texts and questions.
        adapters: Those that are loaded.
        config: How texts are cut and answers taken.
    """

    base: LoadedBase
    decoder: Decoder
    encoder: PromptEncoder
    adapters: LoadedAdapters
    config: CllmfsConfig

    def answers(self, texts: Sequence[str], labels: LabelSet, adapter: str) -> list[Answer]:
        """Every label's answer about every window of every text.

        Raises:
            AdapterError: If no adapter of that name is loaded.
            OutOfMemoryError: If even few texts do not fit.
        """
        config = self.config
        jobs = [
            (number, prompt)
            for number, text in enumerate(texts)
            for window in self.encoder.windows(text, limit=config.window)
            for prompt in self.encoder.prompts(
                window,
                labels.labels,
                descriptions=config.descriptions,
                group=config.group,
                packed=config.packed,
            )
        ]
        # Texts of similar length are read together, so that rows are full.
        jobs.sort(key=lambda job: len(job[1].text.ids))
        prompts = [prompt for _, prompt in jobs]
        found = answers_side_by_side(self._reader(adapter), prompts, self._automata)
        return [
            Answer(number, labels.labels[prompt.first + offset].name, prompt.text.reach, automaton)
            for (number, prompt), automata in zip(jobs, found, strict=True)
            for offset, automaton in enumerate(automata)
        ]

    def predictions(
        self, count: int, found: Sequence[Answer], calibration: Calibration
    ) -> list[Prediction]:
        """One prediction for each of ``count`` texts."""
        overlaps, nested = self.config.overlaps, self.config.reuse_words
        return predictions(count, found, calibration, overlaps=overlaps, nested=nested)

    def _reader(self, adapter: str) -> Reader:
        blocks, beside = self.adapters.weights(adapter)
        chooser = Chooser(
            self.base.output_weight,
            self.encoder.none[0],
            sampling=self.config.sampling,
            top_k=self.config.top_k,
            absence_threshold=self.config.absence_threshold,
        )
        return Reader(self.decoder, blocks, beside, chooser, self.base.dtype, self.base.device)

    def _automata(self, prompt: Prompt) -> list[AnswerAutomaton]:
        return answer_automata(self.config, prompt.text, self.encoder, len(prompt.questions))
