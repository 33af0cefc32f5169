"""Plots are plain SVG with text as text, and colours for the dark and the light."""

from __future__ import annotations

from defusedxml import ElementTree

from backend.plots import Curve, loss_plot, shadow_plot

SVG = "{http://www.w3.org/2000/svg}"


def words(picture: bytes) -> list[str]:
    root = ElementTree.fromstring(picture)
    return ["".join(item.itertext()) for item in root.iter(f"{SVG}text")]


def test_a_shadow_plot_names_its_lines_in_text() -> None:
    rising = [(number, number / 100) for number in range(5, 60)]
    picture = shadow_plot([Curve("4 served", rising), Curve("5 <b>$x_2$</b>", rising)])
    found = words(picture)
    assert "4 served" in found
    assert "5 <b>$x_2$</b>" in found
    assert "F1 (%)" in found


def test_colours_follow_the_scheme() -> None:
    picture = shadow_plot([Curve("0 served", [(5, 0.5), (6, 0.6)])]).decode()
    assert "prefers-color-scheme:dark" in picture
    assert "stroke: var(--c3)" in picture
    assert "#0a0101" not in picture


def test_equal_figures_give_equal_bytes() -> None:
    losses = [(2, 1.5), (4, 1.0)]
    assert loss_plot(losses, 10) == loss_plot(losses, 10)
    assert loss_plot(losses, 10) != loss_plot(losses, 10, narrow=True)


def test_names_of_close_lines_do_not_cover_each_other() -> None:
    flat = [Curve(str(number), [(5, 0.7), (9, 0.7)]) for number in range(3)]
    root = ElementTree.fromstring(shadow_plot(flat))
    heights = [
        float(item.attrib["y"])
        for item in root.iter(f"{SVG}text")
        if "".join(item.itertext()) in {"0", "1", "2"} and "start" in item.attrib["style"]
    ]
    assert len(heights) == 3
    assert min(abs(a - b) for a in heights for b in heights if a is not b) > 9


def test_nothing_to_draw_is_said() -> None:
    assert words(loss_plot([], 0)) == ["nothing to draw yet"]
    assert words(shadow_plot([Curve("4 served", [])])) == ["nothing to draw yet"]
