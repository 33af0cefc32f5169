"""Published figures that stand beside the table, with what keeps them from being the same thing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Published:
    """A figure of somebody else.

    Attributes:
        system: What was measured.
        values: F1 in percent, one for each column of its table; empty where there is none.
        source: Where it stands.
    """

    system: str
    values: tuple[str, ...]
    source: str


@dataclass(frozen=True, slots=True)
class PublishedTable:
    """Published figures of one kind.

    Attributes:
        title: Heading.
        columns: Heads of the values.
        rows: The figures.
        caveats: Why they are not the same as ours.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[Published, ...]
    caveats: tuple[str, ...]


_LISTING = "secondary listing (DanBmh/OpenCodePapers)"
_LABEL_SEMANTICS = "Ma et al., Findings of ACL 2022, table 1"
_LABEL_AWARE = "Zhang and Zhuang, arXiv:2404.17178, appendix, table 2"

_FIXED = PublishedTable(
    "wnut17 and GUM, the fixed support sets",
    ("wnut17, 1 shot", "wnut17, 5 shots", "GUM, 1 shot", "GUM, 5 shots"),
    (
        Published("label-aware, KL", ("32.83", "", "18.32", ""), _LABEL_AWARE),
        Published("label-aware, Euclidean", ("35.72", "", "23.86", ""), _LABEL_AWARE),
        Published("NNShot, from CoNLL, file 0", ("", "22.8", "", ""), "asappresearch/structshot"),
        Published("StructShot, from CoNLL, file 0", ("", "29.5", "", ""), "the same"),
    ),
    (
        "Source OntoNotes (CoNLL where named) and BERT-base; here Few-NERD and an encoder of a"
        " fifth of its size.",
        "That the Euclidean value is the main row of its paper is our reading; its other cells are"
        " unknown. No cell of CLLMFS is known.",
        "CONTaiNER 24.4 and ProML 36.99 on GUM, NNShot 23.9 on wnut17 (secondary listings, an issue"
        " thread): the number of shots is not stated, and ProML's test file holds its supports.",
    ),
)

_TRAIN_SUPPORTS = PublishedTable(
    "OntoNotes to WNUT'17, supports from its train split",
    ("1 shot", "5 shots"),
    (
        Published(
            "TransferBERT (plain fine-tuning)", ("27.6 ± 6.8", "35.2 ± 3.4"), _LABEL_SEMANTICS
        ),
        Published("prototypical", ("1.7", "2.1"), "the same"),
        Published("WPN-CRF", ("23.1", "29.9"), "the same"),
        Published("StructShot", ("31.1 ± 6.4", "33.2 ± 2.0"), "the same"),
        Published("TANL (T5-base)", ("25.6 ± 6.3", "33.3 ± 4.4"), "the same"),
        Published("label semantics, BERT", ("38.3 ± 1.7", "40.8 ± 2.1"), "the same"),
    ),
    (
        "Other support sets: 13.4 and 44.6 sentences on average (here 4 to 6 and 18 to 25), from"
        " the train split. Not comparable with the fixed sets, only in kind.",
    ),
)

_INTER = PublishedTable(
    "Few-NERD INTER, published episodes",
    ("5-way 1~2", "5-way 5~10"),
    (
        Published("ProtoBERT", ("38.83 ± 1.49", "58.79 ± 0.44"), _LISTING),
        Published("NNShot", ("47.24 ± 1.00", "55.64 ± 0.63"), "the same"),
        Published("StructShot", ("51.88 ± 0.69", "57.32 ± 0.63"), "the same"),
        Published("CONTaiNER", ("55.95", "61.83"), "the same"),
        Published("ESD", ("59.29 ± 1.25", "69.06 ± 0.80"), "the same"),
        Published("DecomposedMetaNER", ("64.75 ± 0.35", "71.49 ± 0.47"), "the same"),
        Published("TadNER", ("64.83 ± 0.14", "72.12 ± 0.12"), "the same"),
        Published("MSDP", ("76.86 ± 0.22", "84.78 ± 0.69"), "the same"),
    ),
    (
        "BERT-base, the whole train split, 5,000 published episodes of data version 6. Here 200"
        " episodes of our own, a fifth of the train split: comparable in kind, not cell by cell.",
        "Three generations of these results exist; all rows are second-hand. Cells of CLLMFS and"
        " the label-aware paper are unknown.",
    ),
)

PUBLISHED: Final = (_FIXED, _TRAIN_SUPPORTS, _INTER)
"""All tables."""
