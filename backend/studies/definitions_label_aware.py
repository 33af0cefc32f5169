"""The studies of the label-aware method: which arms, on which data."""

from __future__ import annotations

from backend.studies.arms import Arm
from backend.studies.data_sets import (
    AI_5,
    EVERY_QUICK,
    FIN_5,
    GERMAN_5,
    GERMAN_NESTED_5,
    GUM_5,
    INTRA_1,
    INTRA_5,
    WNUT_5,
    ZH_5,
)
from backend.studies.study import Study

OURS = Arm("ours", method="label_aware")
ZERO_SHOT = Arm("zero-shot", method="label_aware", trained=False)
NO_SOURCE = Arm("no base adapter", method="label_aware", source=False)
MAIN = (WNUT_5, GUM_5)

ALONE_LABEL = Arm("context-label alone", {"context_weight": 0.0}, "label_aware")
ALONE_CONTEXT = Arm("context-context alone", {"context_weight": 1.0}, "label_aware")
ALONE_CONTEXT_NEAREST = Arm(
    "context-context alone, nearest token",
    {"context_weight": 1.0, "inference": "nearest"},
    "label_aware",
)


def _arm(name: str, **settings: object) -> Arm:
    return Arm(name, settings, "label_aware")


_PARTS = Study(
    "label-aware",
    "Label-aware: parts",
    "What is each part of the label-aware method worth?",
    MAIN,
    (
        OURS,
        _arm("no suffix", suffix=False),
        Arm("no context-context", ALONE_LABEL.settings, "label_aware"),
        Arm("no context-label", ALONE_CONTEXT.settings, "label_aware"),
        Arm("no context-label, nearest token", ALONE_CONTEXT_NEAREST.settings, "label_aware"),
        _arm("all weights", tuning="full", rate=5e-5),
        _arm("labels in fixed order", shuffle_labels=False),
        _arm("state of [CLS] for a label", label_state="cls"),
        _arm("published recipe", variant="faithful"),
        NO_SOURCE,
        ZERO_SHOT,
    ),
    (
        "`ours`: LoRA, KL divergence, 0.1 of the context-context term, decisions by the labels'"
        " Gaussians.",
        "No suffix: labels are read on their own. The base adapter was trained with the suffix, so"
        " this arm and that of the [CLS] state change what it knows.",
        "No context-label: the labels' Gaussians are what the base adapter made them, or are not"
        " asked at all (nearest support token).",
        "All weights: the base adapter is added into the weights first; rate 5e-5, no other was"
        " tried. The published recipe, too, starts from this base adapter.",
    ),
)

_DISTANCE = Study(
    "label-aware-distance",
    "Label-aware: distance",
    "Which distance between words and labels serves best?",
    MAIN,
    (
        OURS,
        *(
            _arm(f"{name}, temperature {temperature:g}", distance=name, temperature=temperature)
            for name in ("euclidean", "cosine")
            for temperature in (1.0, 0.1)
        ),
    ),
    (
        "`ours` is the symmetrised KL divergence of Gaussians at temperature 1. The other two are"
        " bounded by 4 and 2, so a lower temperature is tried as well.",
        "The base adapter was trained with the KL divergence.",
    ),
)

_WEIGHT = Study(
    "label-aware-weight",
    "Label-aware: weight of the context-context term",
    "How much of the loss should compare words with words?",
    MAIN,
    (
        OURS,
        *(_arm(f"a = {share:g}", context_weight=share) for share in (0.0, 0.3, 0.5, 0.8, 1.0)),
    ),
    (
        "The loss is `a` times the context-context and 1 - `a` times the context-label term. `ours`"
        " has a = 0.1.",
    ),
)

_INFERENCE = Study(
    "label-aware-inference",
    "Label-aware: decision",
    "Should a word take the nearest label or that of the nearest word of the support set?",
    MAIN,
    (
        OURS,
        _arm("nearest token", inference="nearest"),
        _arm("both", inference="both"),
    ),
    (
        "`ours` takes the labels' Gaussians. Both: the weighted mean of both log-odds, 0.3 for the"
        " nearest token.",
    ),
)

_OBJECTIVES = Study(
    "label-aware-objectives",
    "Label-aware: one and two objectives",
    "What do gradients, losses and times of one objective look like beside those of two?",
    MAIN,
    (OURS, ALONE_LABEL, ALONE_CONTEXT, ALONE_CONTEXT_NEAREST),
    (
        "`ours` has both objectives, 0.1 and 0.9. Gradients are those of LoRA and heads together,"
        " before clipping at 1.",
        "Losses of different objectives do not share a scale: compare the course, not the height.",
        "Times want an otherwise idle machine.",
    ),
    extra="objectives",
)

_ZERO_SHOT = Study(
    "label-aware-zero-shot",
    "Label-aware: zero-shot",
    "How far do the base adapter and the labels' names go without a support set?",
    EVERY_QUICK,
    (OURS, ZERO_SHOT),
    ("Five shots against none. English source, the labels' names in English on every data set.",),
)

_TRANSFER = Study(
    "label-aware-transfer",
    "Label-aware: another language, another domain",
    "Does the English source stage on Wikipedia help on other languages and domains?",
    (ZH_5, GERMAN_5, FIN_5, AI_5),
    (OURS, NO_SOURCE, ZERO_SHOT, Arm("plain fine-tuning", method="tagger")),
    (
        "Chinese and German against an encoder and a source stage that are English; contracts"
        " and texts on artificial intelligence against Wikipedia. Names of labels are English.",
    ),
)

_INTRA = Study(
    "label-aware-intra",
    "Label-aware: INTRA-like split",
    "Does it learn types whose whole family the source stage has not seen?",
    (INTRA_1, INTRA_5),
    (
        Arm("ours", method="label_aware", start="intra-like"),
        NO_SOURCE,
        Arm("nnshot", method="nnshot", start="intra-like"),
    ),
    (
        "The first 50 stored episodes of the INTRA-like split: locations and organisations. The"
        " source stages read sentences without any of them; the shipped base adapter, which has,"
        " takes no part.",
    ),
)

_NESTED = Study(
    "nested",
    "Nested entities",
    "What is gained by answering spans inside others?",
    (GERMAN_NESTED_5,),
    (
        OURS,
        _arm("ours, nested", nested=True),
        Arm("CLLMFS"),
        Arm("CLLMFS, labels overlap", {"overlaps": True}, against="CLLMFS"),
        Arm("CLLMFS, words used again", {"overlaps": True, "reuse_words": True}, against="CLLMFS"),
    ),
    (
        "All gold spans of both levels count as one set. Of the 6,693 in the whole test, 515 lie"
        " inside others: more than that share cannot be gained.",
    ),
)

LABEL_AWARE_STUDIES = (
    _PARTS,
    _DISTANCE,
    _WEIGHT,
    _INFERENCE,
    _OBJECTIVES,
    _ZERO_SHOT,
    _TRANSFER,
    _NESTED,
    _INTRA,
)
