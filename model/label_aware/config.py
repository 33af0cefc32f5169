"""The configuration of the label-aware method: one frozen value, stored with every version."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, get_args

from model.base.network import fast_bf16
from model.encoding.lora import MAX_RANK, LoraShape
from model.encoding.schedule import Schedule
from model.errors import NerLoopError

Distance = Literal["kl", "euclidean", "cosine"]
Inference = Literal["label", "nearest", "both"]
Tuned = Literal["lora", "full"]
LabelState = Literal["cls", "words"]
Precision = Literal["auto", "float32", "bfloat16"]
Variant = Literal["ours", "faithful"]


_BERT = ("dense", "key", "query", "value")
_DEBERTA = ("key_proj", "query_proj", "value_proj")


class LabelAwareConfigError(NerLoopError):
    """A setting of the label-aware method lies outside its range, or is not known."""


@dataclass(frozen=True, slots=True)
class LabelAwareConfig:
    """Settings of the few-shot stage.

    Attributes:
        tuning: Whether a LoRA is trained or all weights of the encoder.
        rank: Rank of a fresh LoRA, 1 to 16; a fit keeps the rank of its start.
        alpha: LoRA scale numerator of a fresh adapter: the update is multiplied by alpha / rank.
        modules: Last parts of the names of the layers a fresh LoRA is put on; an encoder has only
            some of the default ones.
        dimensions: Dimensions of the Gaussians of a fresh adapter.
        dropout: Dropout before the Gaussian heads while training, in [0, 1).
        encoder_dropout: Whether the encoder's own dropout is on while training.
        distance: Between tokens and labels: symmetrised KL of Gaussians, squared Euclidean distance
            or cosine distance of their means of length one.
        context_weight: Share ``a`` of the context-context term, in [0, 1]; the context-label term
            has the rest.
        temperature: Divides the distances in both terms. Above zero.
        few_mentions: A support set with fewer mentions per label than this on average takes the two
            settings that follow; 0 never does.
        few_distance: The distance for such a support set.
        few_weight: Its ``context_weight``.
        outside_weight: Weight of words outside all mentions as anchors of the context-context term.
        suffix: Whether the labels stand behind the text, or are read on their own.
        label_state: Whether the state of a label's ``[CLS]`` stands for it (published), or the mean
            state of its words.
        descriptions: Whether a label with a description is read as ``name: description``.
        none_name: What is read for "no label".
        shuffle_labels: Whether training draws the order of the labels anew for each text.
        inference: By the labels' Gaussians, by the nearest support token, or both together.
        nearest_share: Share of the nearest support token's vote in ``both``, in [0, 1].
        nearest_temperature: Divides its squared distances. Above zero.
        memory: Most support tokens kept for it; tokens outside mentions are dropped first.
        nested: Whether spans of different labels may overlap: each label is decided on its own.
        odds: Log-odds against "no label" that a label must exceed.
        rate: Peak learning rate of AdamW for the encoder.
        head_rate: The same for the Gaussian heads.
        decay: Weight decay; biases and norms do not decay.
        warmup: Share of the steps over which the rates rise; they fall linearly after.
        epochs: Passes over the support set: a fixed number, nothing is stopped early.
        batch: Pieces of text in a step.
        min_steps: Lower bound on the steps.
        max_steps: Upper bound.
        clip: Largest gradient norm.
        window: Most tokens of text read at once, special ones included, labels not.
        group: Most labels read with one text; more are asked in several passes.
        precision: Number type of the encoder's products; weights, heads and losses stay in float32.
            ``auto`` is bfloat16 where the CPU multiplies it in hardware.
        threads: CPU threads of torch; None leaves them as they are.

    Raises:
        LabelAwareConfigError: If a setting lies outside its range.
    """

    tuning: Tuned = "lora"
    rank: int = 16
    alpha: int = 32
    modules: tuple[str, ...] = _BERT + _DEBERTA
    dimensions: int = 128
    dropout: float = 0.1
    encoder_dropout: bool = True
    distance: Distance = "kl"
    context_weight: float = 0.1
    temperature: float = 1.0
    few_mentions: float = 0.0
    few_distance: Distance = "euclidean"
    few_weight: float = 0.0
    outside_weight: float = 1.0
    suffix: bool = True
    label_state: LabelState = "words"
    descriptions: bool = True
    none_name: str = "none"
    shuffle_labels: bool = True
    inference: Inference = "label"
    nearest_share: float = 0.3
    nearest_temperature: float = 0.1
    memory: int = 4096
    nested: bool = False
    odds: float = 0.0
    rate: float = 1e-3
    head_rate: float = 1e-3
    decay: float = 0.01
    warmup: float = 0.1
    epochs: int = 15
    batch: int = 8
    min_steps: int = 30
    max_steps: int = 400
    clip: float = 1.0
    window: int = 128
    group: int = 20
    precision: Precision = "auto"
    threads: int | None = None

    def __post_init__(self) -> None:
        checks = {
            "tuning": self.tuning in get_args(Tuned),
            "rank": 1 <= self.rank <= MAX_RANK,
            "alpha": self.alpha > 0,
            "modules": bool(self.modules),
            "dimensions": self.dimensions >= 1,
            "dropout": 0 <= self.dropout < 1,
            "distance": self.distance in get_args(Distance),
            "few_distance": self.few_distance in get_args(Distance),
            "context_weight": 0 <= self.context_weight <= 1,
            "few_weight": 0 <= self.few_weight <= 1,
            "few_mentions": self.few_mentions >= 0,
            "temperature": self.temperature > 0,
            "outside_weight": self.outside_weight >= 0,
            "label_state": self.label_state in get_args(LabelState),
            "none_name": bool(self.none_name.strip()),
            "inference": self.inference in get_args(Inference),
            "nearest_share": 0 <= self.nearest_share <= 1,
            "nearest_temperature": self.nearest_temperature > 0,
            "memory": self.memory >= 1,
            "rate": self.rate > 0,
            "head_rate": self.head_rate > 0,
            "decay": self.decay >= 0,
            "warmup": 0 <= self.warmup <= 1,
            "epochs": self.epochs >= 1,
            "batch": self.batch >= 1,
            "min_steps": 1 <= self.min_steps <= self.max_steps,
            "clip": self.clip > 0,
            "window": self.window >= 16,
            "group": self.group >= 1,
            "precision": self.precision in get_args(Precision),
            "threads": self.threads is None or self.threads >= 1,
        }
        wrong = [name for name, fine in checks.items() if not fine]
        if wrong:
            listed = ", ".join(f"{name}={getattr(self, name)!r}" for name in wrong)
            raise LabelAwareConfigError(f"The label-aware method cannot work with {listed}.")

    @property
    def schedule(self) -> Schedule:
        """How long a fit learns."""
        return Schedule(self.epochs, self.batch, self.warmup, self.min_steps, self.max_steps)

    @property
    def half(self) -> bool:
        """Whether the encoder multiplies in bfloat16 on this machine."""
        return self.precision == "bfloat16" or (self.precision == "auto" and fast_bf16())

    @property
    def shape(self) -> LoraShape | None:
        """The LoRA of a fresh adapter; None where all weights are trained."""
        if self.tuning == "full":
            return None
        return LoraShape(self.rank, self.alpha, tuple(sorted(self.modules)))

    def to_json(self) -> dict[str, Any]:
        """A JSON value that :meth:`from_json` reads back."""
        return {**asdict(self), "modules": list(self.modules)}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> LabelAwareConfig:
        """Read a JSON object; settings that are not named keep their defaults.

        ``variant`` is not a setting but a set of them: ``faithful`` starts from :data:`FAITHFUL`.

        Raises:
            LabelAwareConfigError: If there is a setting of an unknown name, or one outside its
                range.
        """
        value = dict(value)
        variant = value.pop("variant", "ours")
        if variant not in get_args(Variant):
            raise LabelAwareConfigError(f"There is no variant called {variant!r}.")
        unknown = sorted(set(value) - {field.name for field in fields(cls)})
        if unknown:
            raise LabelAwareConfigError(
                f"The label-aware method knows no setting called {', '.join(unknown)}."
            )
        known = {**FAITHFUL, **value} if variant == "faithful" else value
        if "modules" in known:
            known = {**known, "modules": tuple(known["modules"])}
        return cls(**known)


FAITHFUL: dict[str, Any] = {
    "tuning": "full",
    "distance": "kl",
    "context_weight": 0.3,
    "few_mentions": 3.0,
    "few_distance": "euclidean",
    "few_weight": 0.0,
    "label_state": "cls",
    "descriptions": False,
    "shuffle_labels": False,
    "inference": "nearest",
    "rate": 5e-5,
    "head_rate": 5e-5,
    "warmup": 0.0,
    "epochs": 20,
    "batch": 256,
    "min_steps": 20,
    "group": 64,
}
"""The published recipe; the number of passes is fixed here where public code stops on the test."""
