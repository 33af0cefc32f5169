"""From labeling configs to span controls."""

from __future__ import annotations

import pytest

from backend.labelstudio.errors import UnsupportedConfigError
from backend.labelstudio.label_config import is_blank, labels_of, span_control
from backend.labelstudio.label_names import natural_name

TEXT = '<Text name="text" value="$text"/>'


def config(labels: str, text: str = TEXT, to: str = "text") -> str:
    return f'<View><Labels name="label" toName="{to}">{labels}</Labels>{text}</View>'


def test_names_descriptions_and_natural_names_come_from_the_labels() -> None:
    control = span_control(
        config('<Label value="PER" hint="a human being"/><Label value="GardenPest" alias="GP"/>')
    )
    assert (control.from_name, control.to_name, control.value_key) == ("label", "text", "text")
    person, pest = control.label_set
    assert (person.name, person.natural, person.description) == ("PER", "person", "a human being")
    assert (pest.name, pest.natural) == ("GP", "garden pest")
    assert control.aliases == {"GardenPest": "GP"}


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("PER", "person"),
        ("ORG", "organization"),
        ("LOC", "location"),
        ("WORK_OF_ART", "work of art"),
        ("GardenPest", "garden pest"),
        ("person/artist", "person artist"),
        ("HTTPServer", "http server"),
        ("plant-part", "plant part"),
        ("Müller Straße", "müller straße"),
        ("人物", "人物"),
        ("__", "__"),
    ],
)
def test_natural_names(name: str, words: str) -> None:
    assert natural_name(name) == words


def test_the_first_labels_on_a_plain_text_is_taken() -> None:
    control = span_control(
        "<View>"
        '<Choices name="c" toName="text"><Choice value="x"/></Choices>'
        '<Labels name="h" toName="html"><Label value="A"/></Labels>'
        '<HyperText name="html" value="$html"/>'
        '<labels name="second" toName="nowhere, body"><View><Label value="B"/></View></labels>'
        '<Labels name="third" toName="body"><Label value="C"/></Labels>'
        '<Text name="body" value="$doc.text"/>'
        "</View>"
    )
    assert (control.from_name, control.to_name) == ("second", "body")
    assert control.label_set.names == ("B",)
    assert control.text_of({"doc": {"text": "nested"}}) == "nested"
    assert control.text_of({"doc.text": "flat"}) == "flat"


@pytest.mark.parametrize(
    "data", [None, {}, {"text": None}, {"text": 3}, {"text": ["x"]}, {"other": "x"}, "x", []]
)
def test_data_without_a_text_gives_none(data: object) -> None:
    assert span_control(config('<Label value="A"/>')).text_of(data) is None


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        ("", "no valid XML"),
        ("<View>", "no valid XML"),
        ("<View></View>", "still empty"),
        ('<View><Text name="text" value="$text"/></View>', "no <Labels> control"),
        ('<View><Choices name="c" toName="t"/></View>', "<Choices>"),
        (config('<Label value="A"/>', '<HyperText name="text" value="$t"/>'), "<HyperText>"),
        (config('<Label value="A"/>', '<Paragraphs name="text" value="$t"/>'), "<Paragraphs>"),
        (
            config('<Label value="A"/>', '<Text name="text" valueType="url" value="$u"/>'),
            'valueType="url"',
        ),
        (config('<Label value="A"/>', '<Text name="text" value="fixed"/>'), "starts with $"),
        (config('<Label value="A"/>', to="elsewhere"), "toName"),
        (config(""), "names no <Label>"),
        (config('<Label background="red"/>'), "No <Label> has a value"),
        (config('<Label value="A"/><Label value="A"/>'), "more than once"),
        (config('<Label value="A"/><Label value="B" alias="A"/>'), "more than once"),
        (config("".join(f'<Label value="L{n}"/>' for n in range(501))), "at most 500"),
        ("<!DOCTYPE v><View/>", "document type"),
        ('<!DOCTYPE v [<!ENTITY e SYSTEM "file:///etc/passwd">]><View>&e;</View>', "entity"),
        ("<View>\ud800</View>", "XML does not allow"),
        ("<View>" * 20_000, "no valid XML"),
    ],
)
def test_what_cannot_be_used_is_explained(bad: str, says: str) -> None:
    with pytest.raises(UnsupportedConfigError) as caught:
        span_control(bad)
    assert says in str(caught.value)
    labels, error = labels_of(bad)
    assert labels is None
    assert error is not None
    assert says in error


def test_only_a_config_without_any_named_tag_is_blank() -> None:
    assert is_blank("<View></View>")
    assert is_blank("<View><Header value='Hello'/></View>")
    assert not is_blank(config('<Label value="A"/>'))
    assert not is_blank("<View>")
