"""From the labeling config, written in XML, to the one span control nerloop fills."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from backend.labelstudio.errors import UnsupportedConfigError
from backend.labelstudio.label_names import natural_name
from model.spans import Label, LabelSet

MAX_CONFIG = 1_000_000
"""Longest labeling config read, in characters."""

MAX_LABELS = 500
"""Most labels one control may have."""

SHAPE = (
    'nerloop needs <Labels name="label" toName="text"> with at least one <Label value="..."/>, '
    'and <Text name="text" value="$text"/>.'
)


@dataclass(frozen=True, slots=True)
class SpanControl:
    """Where spans are written and which text they lie in.

    Attributes:
        from_name: Name of the ``Labels`` control.
        to_name: Name of the ``Text`` object.
        value_key: Key of the text in a task's data; ``a.b`` means a nested one.
        label_set: The labels, named as they stand in results.
        aliases: Config value to result name, for labels that have an alias.
    """

    from_name: str
    to_name: str
    value_key: str
    label_set: LabelSet
    aliases: Mapping[str, str] = field(default_factory=dict)

    def text_of(self, data: Any) -> str | None:
        """The task's text, or None where the data holds no string under the key."""
        found = data.get(self.value_key) if isinstance(data, Mapping) else None
        if found is None:
            found = data
            for key in self.value_key.split("."):
                found = found.get(key) if isinstance(found, Mapping) else None
        return found if isinstance(found, str) else None


def is_blank(config: str) -> bool:
    """Whether the config has no control and no object yet, like that of a new project."""
    try:
        root = _parse(config)
    except UnsupportedConfigError:
        return False
    return not any(tag.get("name") for tag in root.iter())


def span_control(config: str) -> SpanControl:
    """The first ``Labels`` control that is bound to a plain ``Text``.

    Raises:
        UnsupportedConfigError: If the XML is broken or there is no such control; the message says
            what was found instead.
    """
    root = _parse(config)
    texts = {
        name: tag for tag in _tags(root, "text") if (name := tag.get("name")) and _value_key(tag)
    }
    for labels in _tags(root, "labels"):
        from_name, targets = labels.get("name"), labels.get("toName", "").split(",")
        to_name = next((name.strip() for name in targets if name.strip() in texts), None)
        if from_name and to_name and _tags(labels, "label"):
            return SpanControl(
                from_name,
                to_name,
                _value_key(texts[to_name]),
                LabelSet(tuple(_labels(labels))),
                {value: name for value, name in _names(labels) if value != name},
            )
    raise UnsupportedConfigError(f"{_what_is_wrong(root)} {SHAPE}")


def labels_of(config: str) -> tuple[LabelSet | None, str | None]:
    """The config's labels, or None and why it cannot be used."""
    try:
        return span_control(config).label_set, None
    except UnsupportedConfigError as error:
        return None, str(error)


def _parse(config: str) -> Element:
    if len(config) > MAX_CONFIG:
        raise UnsupportedConfigError(f"The labeling config is longer than {MAX_CONFIG} characters.")
    try:
        root: Element = fromstring(config, forbid_dtd=True)
    except DefusedXmlException as error:
        raise UnsupportedConfigError(
            "The labeling config has a document type or entity declaration, "
            "which nerloop does not read. Remove it."
        ) from error
    except ParseError as error:
        raise UnsupportedConfigError(f"The labeling config is no valid XML: {error}.") from error
    except ValueError as error:  # lone surrogates, NUL characters
        raise UnsupportedConfigError(
            "The labeling config has characters that XML does not allow."
        ) from error
    return root


def _tags(root: Element, name: str) -> list[Element]:
    # Label Studio does not mind the case of tag names
    return [tag for tag in root.iter() if isinstance(tag.tag, str) and tag.tag.lower() == name]


def _value_key(text: Element) -> str:
    # a URL would have to be downloaded: a way in for others that nerloop does not open
    if text.get("valueType", "text").lower() == "url":
        return ""
    value = text.get("value", "").strip()
    return value[1:].strip() if value.startswith("$") else ""


def _names(labels: Element) -> list[tuple[str, str]]:
    """(value, name in results) of each label."""
    found = []
    for tag in _tags(labels, "label"):
        value, alias = tag.get("value", "").strip(), tag.get("alias", "").strip()
        if value or alias:
            found.append((value or alias, alias or value))
    return found


def _labels(labels: Element) -> list[Label]:
    hints = [
        tag.get("hint", "").strip()
        for tag in _tags(labels, "label")
        if tag.get("value", "").strip() or tag.get("alias", "").strip()
    ]
    pairs = _names(labels)
    names = [name for _, name in pairs]
    if not names:
        raise UnsupportedConfigError(f"No <Label> has a value. {SHAPE}")
    if len(names) > MAX_LABELS:
        raise UnsupportedConfigError(
            f"The control has {len(names)} labels; at most {MAX_LABELS} are supported."
        )
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        raise UnsupportedConfigError(
            f"The label {doubled[0]!r} occurs more than once in one <Labels> control. "
            "Give each label its own value or alias."
        )
    # an alias is often a code, so the question is asked with the value people read
    return [
        Label(name, natural_name(value), hint)
        for (value, name), hint in zip(pairs, hints, strict=True)
    ]


def _what_is_wrong(root: Element) -> str:
    controls = [tag.tag for tag in root.iter() if tag.get("toName")]
    if not any(tag.get("name") for tag in root.iter()):
        return "The labeling config is still empty."
    labels = _tags(root, "labels")
    if not labels:
        found = ", ".join(sorted({f"<{name}>" for name in controls})) or "no control"
        return f"The labeling config has no <Labels> control but {found}."
    for kind in ("HyperText", "Paragraphs", "Image", "Audio", "Video", "PDF"):
        if _tags(root, kind.lower()):
            return f"The labels are put on <{kind}>; nerloop labels plain <Text> only."
    if any(tag.get("valueType", "").lower() == "url" for tag in _tags(root, "text")):
        return 'The <Text> has valueType="url"; nerloop reads texts from the task, not from a URL.'
    if not any(len(_tags(control, "label")) for control in labels):
        return "The <Labels> control names no <Label>; labels taken from task data are unknown."
    return "No <Labels> control points with toName at a <Text> whose value starts with $."
