"""Which automaton answers the questions about a window, as the configuration says."""

from __future__ import annotations

from model.cllmfs.config import CllmfsConfig
from model.cllmfs.copy_source import CopySource
from model.cllmfs.decoding import AnswerAutomaton, SpanCopy
from model.cllmfs.prompt import EncodedText, PromptEncoder
from model.cllmfs.string_matching import MatchedAnswer, PlainText, answer_limit, bag_of


def answer_automata(
    config: CllmfsConfig, text: EncodedText, encoder: PromptEncoder, count: int
) -> list[AnswerAutomaton]:
    """One automaton per question about one window; what depends on the window is made once.

    Args:
        config: Gives the decoding and whether words may be reused.
        text: The window as its prompt holds it.
        encoder: Gives the markers.
        count: Number of questions.
    """
    if config.decoding == "automaton":
        source = CopySource(text, encoder)
        return [
            SpanCopy(
                text,
                encoder,
                source=source,
                reuse_words=config.reuse_words,
                span_limit=config.span_limit,
            )
            for _ in range(count)
        ]
    plain = PlainText(text)
    allowed = bag_of(text, encoder) if config.decoding == "bag" else None
    limit = answer_limit(text)
    return [MatchedAnswer(plain, encoder, allowed, limit) for _ in range(count)]
