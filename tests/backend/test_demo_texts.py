"""The demo's texts are many, unique and annotated without slips."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from itertools import pairwise

import pytest

from backend.demo.texts import demo_gold, demo_label_config, demo_texts
from backend.labelstudio.label_config import span_control

LABELS = ("Person", "Place", "Plant", "Pest")

NOT_A_PLANT = ("cool box", "too much lime", "wood ash", "coffee grounds")
"""Phrases in which the name of a plant means something else."""


def _words(form: str) -> re.Pattern[str]:
    return re.compile(rf"(?<!\w){re.escape(form)}(?!\w)", re.IGNORECASE)


def _forms(label: str) -> set[str]:
    return {
        item.text[span.start : span.end].lower()
        for item in demo_gold()
        for span in item.spans
        if span.label == label
    }


def _uncovered(form: str, text: str, covered: list[tuple[int, int]]) -> bool:
    return any(
        all(match.end() <= start or match.start() >= end for start, end in covered)
        for match in _words(form).finditer(text)
    )


def test_texts_are_many_unique_and_short() -> None:
    texts = demo_texts()
    assert len(texts) >= 200
    assert len({text.casefold() for text in texts}) == len(texts)
    assert all(text == text.strip() and "\n" not in text for text in texts)
    lengths = [len(text.split()) for text in texts]
    assert min(lengths) >= 8
    assert max(lengths) <= 45


def test_gold_follows_the_texts() -> None:
    assert [item.text for item in demo_gold()] == demo_texts()


def test_offsets_give_back_whole_words() -> None:
    for item in demo_gold():
        for span in item.spans:
            covered = item.text[span.start : span.end]
            assert covered, (item.text, span)
            assert covered == covered.strip(), covered
            around = item.text[max(0, span.start - 1) : span.start], item.text[span.end :][:1]
            assert not any(character.isalnum() for character in around), covered
            assert not covered.lower().startswith(("the ", "a ", "an ", "dr ", "mr ", "mrs "))
            assert not covered.endswith(("'s", ".", ",", ":", "!", "?")), covered


def test_offsets_are_code_points() -> None:
    """Behind an emoji of one code point but two UTF-16 units the span still fits."""
    found = {
        item.text[span.start : span.end]
        for item in demo_gold()
        for span in item.spans
        if any(ord(character) > 0xFFFF for character in item.text[: span.start])
    }
    assert {"thrips", "tulips"} <= found


def test_spans_are_sorted_and_do_not_overlap() -> None:
    for item in demo_gold():
        assert all(left.end <= right.start for left, right in pairwise(item.spans)), item.text


def test_each_label_has_shots_enough() -> None:
    counts = Counter(span.label for item in demo_gold() for span in item.spans)
    assert set(counts) == set(LABELS)
    assert all(counts[label] >= 60 for label in LABELS), counts


def test_texts_without_entities_and_with_all_labels_exist() -> None:
    kinds = [{span.label for span in item.spans} for item in demo_gold()]
    assert kinds.count(set()) >= 10
    assert kinds.count(set(LABELS)) >= 10


def test_every_stretch_of_the_order_is_varied() -> None:
    """Whichever 25 neighbours are shown, each label occurs among them at least three times."""
    gold = demo_gold()
    for first in range(len(gold) - 24):
        counts = Counter(span.label for item in gold[first : first + 25] for span in item.spans)
        assert all(counts[label] >= 3 for label in LABELS), (first, counts)


def test_labels_match_the_config() -> None:
    control = span_control(demo_label_config())
    assert control.label_set.names == LABELS
    assert (control.from_name, control.to_name, control.value_key) == ("label", "text", "text")
    assert all(label.description for label in control.label_set)


def test_label_colours_differ() -> None:
    colours = re.findall(r'background="(#[0-9a-f]{6})"', demo_label_config())
    assert len(set(colours)) == len(LABELS)


@pytest.mark.parametrize("label", LABELS)
def test_a_name_annotated_once_is_annotated_everywhere(label: str) -> None:
    """No form of a label stands bare in another text, as a word of its own."""
    slips = defaultdict(list)
    forms = _forms(label)
    for item in demo_gold():
        covered = [(span.start, span.end) for span in item.spans]
        covered += [
            match.span() for phrase in NOT_A_PLANT for match in _words(phrase).finditer(item.text)
        ]
        for form in forms:
            if _uncovered(form, item.text, covered):
                slips[form].append(item.text)
    assert not slips


def test_exceptions_are_still_needed() -> None:
    texts = " ".join(demo_texts())
    assert all(_words(phrase).search(texts) for phrase in NOT_A_PLANT)
