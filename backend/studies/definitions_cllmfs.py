"""The studies of CLLMFS: which arms, on which data."""

from __future__ import annotations

from backend.studies.arms import Arm
from backend.studies.data_sets import (
    COST,
    GUM_1,
    GUM_5,
    POLITICS_5,
    WNUT_1,
    WNUT_5,
    changed_wnut,
    drawn,
    folds,
    ladder,
)
from backend.studies.study import Study, left_out

FULL = Arm("full")
NO_CONTRAST = Arm("no contrastive term", {"contrast_weight": 0.0})
NO_NOISE = Arm("no noise", {"noise_scale": 0.0})
ZERO_SHOT = Arm("zero-shot", trained=False)
# without a base adapter there is nothing to be pulled back to
NO_SOURCE = Arm("no base adapter", {"pull": 0.0}, source=False)
PLAIN = Arm("plain fine-tuning", method="tagger")

FORMATS = "no base adapter, instruction first"


_COMPONENTS = Study(
    "components",
    "Components",
    "What is each part of the method worth?",
    (WNUT_1, WNUT_5, GUM_1, GUM_5),
    (
        FULL,
        NO_CONTRAST,
        NO_NOISE,
        Arm("pairwise loss", {"contrast": "pairwise", "contrast_weight": 0.001}),
        ZERO_SHOT,
        Arm("no `none` rows", {"absent_share": 0.0}),
        Arm("bag decoding", {"decoding": "bag"}),
        Arm("free decoding", {"decoding": "free"}),
        NO_SOURCE,
        Arm(
            FORMATS,
            {"pull": 0.0, "row_format": "instruction_first"},
            source=False,
            against=NO_SOURCE.name,
        ),
    ),
    (
        "The pairwise loss has the weight of the public code it comes from, 0.001.",
        "The base adapter was trained on rows with the sentence first; the two arms without base"
        " adapter compare the formats on equal terms.",
        "Bag and free decoding read the adapters of `full`: their trainings are the same.",
        "All arms: wnut17 with five shots; elsewhere those that decide most, so that the studies"
        " together stay near the ceiling of 90 minutes that the protocol sets for one method.",
    ),
    left_out=left_out((NO_NOISE.name, "pairwise loss", FORMATS), WNUT_1, GUM_1, GUM_5)
    | left_out(("bag decoding", "free decoding", NO_SOURCE.name), WNUT_1, GUM_1),
)

_LAYER = Study(
    "layer",
    "Layer of the contrastive term",
    "After which block should the contrastive term read the states?",
    (WNUT_5,),
    (
        FULL,
        *(Arm(f"{block} of 32", {"depth": block / 32}) for block in (10, 20, 24, 28, 30)),
        Arm("last", {"depth": 1.0}),
        NO_CONTRAST,
    ),
    (
        "`full` reads after 26 of 32 blocks, which is 24 of the 30 of this base model. The last"
        " block is read before the final norm.",
    ),
)

_WEIGHTS = Study(
    "weights",
    "Weight, temperature and noise of the contrastive term",
    "Which settings of the contrastive term serve development data best?",
    (POLITICS_5,),
    (
        FULL,
        NO_CONTRAST,
        *(Arm(f"weight {weight:g}", {"contrast_weight": weight}) for weight in (0.001, 0.1)),
        *(Arm(f"temperature {t:g}", {"temperature": t}) for t in (0.05, 0.3)),
        NO_NOISE,
        Arm("noise 0.3", {"noise_scale": 0.3}),
        Arm("uniform noise", {"noise": "uniform"}),
    ),
    (
        "`full` has weight 0.01, temperature 0.1 and normal noise of scale 0.1; one setting is"
        " changed at a time. Development data only.",
    ),
)

_ADAPTATION = Study(
    "adaptation",
    "LoRA against full fine-tuning, and its rank",
    "What is lost by training a small LoRA instead of all weights?",
    (WNUT_5, GUM_5),
    (
        FULL,
        Arm("all weights", {"rate": 5e-5}, method="full_tuning"),
        Arm("no base adapter, rank 16", {"pull": 0.0}, source=False),
        *(
            Arm(
                f"no base adapter, rank {rank}",
                {"pull": 0.0, "rank": rank, "alpha": 2 * rank},
                source=False,
                against="no base adapter, rank 16",
            )
            for rank in (8, 4)
        ),
        Arm(
            "no base adapter, all weights",
            {"pull": 0.0, "rate": 5e-5},
            method="full_tuning",
            source=False,
            against="no base adapter, rank 16",
        ),
    ),
    (
        "All weights: the linear layers of all blocks, 79 % of the model; norms, embeddings and the"
        " output layer stay. The base adapter is added into the weights first.",
        "The base adapter has rank 16, and a fit keeps the rank of its start, so ranks are compared"
        " without it, and without the pull towards it.",
        "The rate of full fine-tuning is 5e-5, a tenth of that of LoRA; no other was tried.",
        "On GUM only LoRA and all weights are compared, to stay within the studies' time.",
    ),
    left_out=left_out(
        (*(f"no base adapter, rank {rank}" for rank in (16, 8, 4)), "no base adapter, all weights"),
        GUM_5,
    ),
)

_DECODING = Study(
    "decoding",
    "Greedy decoding against sampling",
    "Do temperature or top-k sampling help inside the automaton?",
    (WNUT_5, GUM_5),
    (
        FULL,
        Arm("temperature 0.5", {"sampling": 0.5}),
        Arm("temperature 1", {"sampling": 1.0}),
        Arm("temperature 1, top 5", {"sampling": 1.0, "top_k": 5}),
    ),
    (
        "All arms read the adapters of `full`.",
        "Every sampling arm is one draw from one fixed stream of random numbers. Its"
        " interval tells of support sets and sentences; how much another stream would change is"
        " not measured.",
    ),
)

_ROBUSTNESS = Study(
    "robustness",
    "Typing errors and case",
    "How much is lost on hurried text, and does the noise of the contrastive term help there?",
    (WNUT_5, *changed_wnut()),
    (FULL, NO_NOISE, NO_CONTRAST, ZERO_SHOT),
    (
        "Support texts stay as they are. `typos`: 15 % of the words of four letters or more get one"
        " inner letter swapped with the next, left out or doubled, names included. `lower` and"
        " `upper`: everything in one case.",
    ),
)

_SHOTS = Study(
    "shots",
    "Number of shots",
    "How does accuracy grow with the number of shots?",
    ladder(1, 3, 5, 10),
    (FULL, ZERO_SHOT, PLAIN),
    (
        "Nested greedy draws 0 to 2 from wnut17 dev and gum train: the set of fewer shots is the"
        " beginning of the set of more. Not to be mixed with the fixed support files.",
        "Where the pool has fewer mentions of a label than asked, all of them are taken.",
    ),
    # it does not depend on the shots
    left_out=left_out((ZERO_SHOT.name,), *ladder(3, 5, 10)),
)


_CROSSOVER = Study(
    "crossover",
    "Where plain fine-tuning overtakes",
    "From how many shots on is plain fine-tuning of a small encoder as good?",
    (*ladder(1, 3, 5, 10), drawn("wnut17", "dev.conll", 20)),
    (FULL, PLAIN),
    (
        "Plain fine-tuning: MiniLM (22 million weights) with a linear layer that tags words, all"
        " weights trained. It starts from a sentence encoder that saw no entity labels.",
        "The ladder of the shots study, on wnut17 continued by doubling; further rungs would take"
        " as long as all before. The optimiser steps of CLLMFS are capped, so large support sets"
        " get fewer passes.",
    ),
    extra="crossover",
)

_KFOLD = Study(
    "kfold",
    "Five folds of wnut17",
    "Do the differences hold on other splits of the same corpus?",
    folds(),
    (FULL, NO_CONTRAST, ZERO_SHOT),
    (
        "Train and development part together, repeated sentences once; 300 sentences of each"
        " held-out fold are scored, five shots per label come from the other folds. The test part"
        " is untouched.",
        "Folds lose what the corpus was made for: its test part holds entities that are new.",
    ),
)

_SOURCE = Study(
    "source",
    "Source stage",
    "What does the base adapter contribute?",
    (WNUT_5, GUM_5),
    (
        FULL,
        NO_SOURCE,
        ZERO_SHOT,
        Arm("zero-shot, no base adapter", source=False, trained=False, against=ZERO_SHOT.name),
    ),
    (
        "Without base adapter the few-shot stage starts from a LoRA that changes nothing, and is"
        " not pulled back to it.",
    ),
)

_REPRESENTATION = Study(
    "representation",
    "Hidden states with and without the contrastive term",
    "Does the contrastive term move the states it reads?",
    (WNUT_5,),
    (FULL, NO_CONTRAST, ZERO_SHOT),
    (
        "States after the block the term reads, of the gold mentions in the scored sentences,"
        " every vector divided by its length. Alignment: mean squared distance of a mention to the"
        " name of its type. Uniformity: logarithm of the mean of exp(-2 d²) over pairs of"
        " mentions, lower is more spread out (Wang and Isola, ICML 2020). Margin: cosine of name"
        " and mention minus cosine of name and neighbouring words.",
    ),
    extra="representation",
)

_COST = Study(
    "cost",
    "Time and memory",
    "What does each part cost?",
    (COST,),
    (
        FULL,
        NO_CONTRAST,
        Arm("half of the blocks trained", {"trained_share": 0.5}),
        Arm("states computed twice", {"checkpointing": True}),
        Arm("a row per question", {"packed": False}),
        Arm("instruction first", {"row_format": "instruction_first"}),
        Arm("bag decoding", {"decoding": "bag"}),
        Arm("all weights", {"rate": 5e-5}, method="full_tuning"),
        PLAIN,
    ),
    (
        "One support set, 100 sentences; every arm is trained in a process of its own, so that its"
        " highest memory is its own. Compare times of one run of the study only. The results kept"
        " here come from a machine that did other work beside it: only large differences of time"
        " mean anything.",
    ),
)

CLLMFS_STUDIES = (
    _COMPONENTS,
    _LAYER,
    _WEIGHTS,
    _ADAPTATION,
    _DECODING,
    _ROBUSTNESS,
    _SHOTS,
    _CROSSOVER,
    _KFOLD,
    _SOURCE,
    _REPRESENTATION,
    _COST,
)
