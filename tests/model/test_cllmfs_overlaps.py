"""Of spans that share a character, the most confident one is kept."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from model.cllmfs.overlaps import without_overlaps
from model.spans import Span


def test_the_most_confident_reading_of_a_place_is_kept() -> None:
    place, plant = Span(0, 5, "Place", 0.97), Span(0, 5, "Plant", 0.84)
    longer, apart = Span(3, 9, "Pest", 0.9), Span(9, 12, "Pest", 0.2)
    assert without_overlaps([plant, apart, longer, place]) == [place, apart]


def test_neighbours_do_not_overlap() -> None:
    spans = [Span(0, 3, "A", 0.5), Span(3, 6, "B", 0.9)]
    assert without_overlaps(spans) == spans


def test_nested_spans_stay_and_crossing_or_equal_ones_do_not() -> None:
    outer, inner, last = Span(0, 9, "A", 0.5), Span(2, 4, "B", 0.9), Span(7, 9, "A", 0.4)
    crossing, equal = Span(8, 12, "B", 0.3), Span(2, 4, "C", 0.8)
    everything = [outer, crossing, equal, inner, last]
    assert without_overlaps(everything, nested=True) == [outer, inner, last]
    assert without_overlaps([outer, inner]) == [inner]


@st.composite
def spans(draw: st.DrawFn) -> Span:
    start = draw(st.integers(0, 30))
    end = start + draw(st.integers(1, 10))
    return Span(start, end, draw(st.sampled_from("ABC")), draw(st.sampled_from([0.1, 0.5, 0.9])))


@given(st.lists(spans(), unique=True).flatmap(lambda x: st.tuples(st.just(x), st.permutations(x))))
def test_whatever_is_dropped_lost_against_something_kept(
    drawn: tuple[list[Span], list[Span]],
) -> None:
    given_spans, shuffled = drawn
    kept = without_overlaps(given_spans)
    assert kept == without_overlaps(shuffled)
    covered = [set(range(span.start, span.end)) for span in kept]
    assert sum(map(len, covered)) == len(set().union(*covered))
    for span in set(given_spans) - set(kept):
        rivals = [k for k in kept if k.start < span.end and span.start < k.end]
        assert any(rival.score >= span.score for rival in rivals)
