"""The fixed strings around sentences, questions and answers, one set per row format."""

from __future__ import annotations

from dataclasses import dataclass

from model.cllmfs.config import RowFormat


@dataclass(frozen=True, slots=True)
class Wording:
    """The fixed strings of a row; each is encoded by itself.

    Attributes:
        before: What stands before the label's name where the label comes first.
        between: What stands between the label and the sentence where the label comes first.
        header: What the sentence follows where it comes first.
        closing: What ends the sentence where it comes first.
        asking: The question after the sentence where the label came first.
        opening: What every answer begins with.
        open: Begins a mention.
        close: Ends a mention.
        none: The answer without mentions.
        end: Ends the answer.
    """

    open: str
    close: str
    none: str
    end: str
    before: str = ""
    between: str = ""
    header: str = ""
    closing: str = ""
    asking: str = ""
    opening: str = ""


SENTENCE_FIRST = Wording(
    header="Text:", closing="\n", open=" <<", close=" >>", none=" none", end="\n"
)
"""Sentence, question, answer: the sentence is the same for all labels and is read once."""

INSTRUCTION_FIRST = Wording(
    before=(
        "Below is an instruction that describes a task, together with the text it is about. "
        "Write a response that does what the instruction asks.\n\n### Instruction:\n"
        "Find every mention of this type of entity:"
    ),
    between=". Write each one between <<< and >>>.\n\n### Input:",
    asking="\n\n### Response:",
    opening=" <im_start> The mentions in the text are:",
    open=" <<<",
    close=" >>>",
    none=" none",
    end="<im_end>",
)
"""The published order (Zhang et al., ECAI 2024) in the Alpaca template, in words of our own."""


def wording_of(row_format: RowFormat) -> Wording:
    """The strings of a row format."""
    return SENTENCE_FIRST if row_format == "sentence_first" else INSTRUCTION_FIRST
