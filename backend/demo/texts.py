"""The demo's texts, their gold spans and the labeling config, read from the package."""

from __future__ import annotations

import json
from importlib.resources import files

from model.spans import AnnotatedText, Span


def demo_texts() -> list[str]:
    """Notes from a plant-health help line, in a shuffled but fixed order."""
    return [json.loads(line)["text"] for line in _lines("texts.jsonl")]


def demo_gold() -> list[AnnotatedText]:
    """The same texts with every mention of the four labels, in the order of :func:`demo_texts`.

    The guideline behind the spans:

    * Person: names of people, without title ("Dr"), role or the possessive "'s".
    * Place: proper names of towns, streets, gardens, buildings and named beds; neither numbered
      ones ("plot 31") nor adjectives.
    * Plant: species, groups and cultivars under any name, singular or plural, fruit, weeds and
      cultivar names in quotes included; words for a form ("hedge", "seedlings") stay outside, and
      so do materials made of plants ("wood ash").
    * Pest: animals, fungi, bacteria and viruses that harm plants, and plant diseases. An
      established name is one span ("box tree moth", with no plant inside). Stages ("larvae"),
      general words ("rot", "fungus"), useful animals and deficiencies are not pests.

    Articles stay outside every span, and spans do not overlap.

    Raises:
        OffsetError: If a stored span does not lie inside its text.
    """
    texts = demo_texts()
    rows = [json.loads(line) for line in _lines("gold.jsonl")]
    return [
        AnnotatedText(texts[row["text_index"]], tuple(Span(*span) for span in row["spans"]))
        for row in rows
    ]


def demo_label_config() -> str:
    """The labeling config of the demo project, as XML."""
    return files("backend.demo").joinpath("label_config.xml").read_text(encoding="utf-8")


def _lines(name: str) -> list[str]:
    # not splitlines(): JSON strings may hold line separators that are not line ends here
    stored = files("backend.demo").joinpath(name).read_text(encoding="utf-8")
    return [line for line in stored.split("\n") if line]
