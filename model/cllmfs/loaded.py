"""The adapters a base model can read with at the moment."""

from __future__ import annotations

from collections import OrderedDict

from model.base.decoder import Block, BlockLora, Decoder
from model.base.load import LoadedBase
from model.base.merging import merged
from model.cllmfs import lora
from model.cllmfs.calibration import Calibration
from model.cllmfs.lora import Adapter, LoraShape
from model.cllmfs.lora_blocks import block_loras
from model.errors import AdapterError
from model.method import AdapterFiles

_MERGED_ADAPTERS = 2
_MERGED_BYTES = 1 << 30


class LoadedAdapters:
    """Parsed adapters by name, the last used ones also as weights they are added into.

    Added in, an adapter costs no time when texts are read, but a copy of the blocks' weights; so
    only the last two are kept that way, and none where the blocks are large or quantised.

    Args:
        base: The base model.
        decoder: Its blocks.
    """

    def __init__(self, base: LoadedBase, decoder: Decoder) -> None:
        self._base, self._decoder = base, decoder
        self._loaded: dict[str, list[BlockLora]] = {}
        self._calibrations: dict[str, Calibration] = {}
        self._merged: OrderedDict[str, list[Block]] = OrderedDict()
        self._expected: dict[LoraShape, dict[str, tuple[int, ...]]] = {}
        weights = [group.weight for block in decoder.blocks for group in block.groups]
        sizes = [0 if weight is None else weight.nbytes for weight in weights]
        self._mergeable = all(sizes) and sum(sizes) <= _MERGED_BYTES

    def matrices(self, shape: LoraShape) -> dict[str, tuple[int, ...]]:
        """Names and shapes of the matrices of a LoRA on this base model."""
        if shape not in self._expected:
            self._expected[shape] = lora.expected_matrices(self._base.model.config, shape)
        return self._expected[shape]

    def parsed(self, files: AdapterFiles) -> Adapter:
        """Read an adapter's files and compare them with the base model.

        Raises:
            AdapterError: If the files are damaged or belong to another base model.
        """
        adapter = lora.from_files(files, self._base.digest)
        lora.check_matrices(adapter.tensors, self.matrices(adapter.shape))
        return adapter

    def load(self, name: str, files: AdapterFiles) -> None:
        """Make an adapter available; a name that is taken keeps its adapter.

        Raises:
            AdapterError: If the files are damaged or belong to another base model.
        """
        if name not in self._loaded:
            parsed = self.parsed(files)
            self._calibrations[name] = _calibration(parsed)
            self._loaded[name] = block_loras(
                self._decoder,
                parsed.shape,
                parsed.tensors,
                dtype=self._base.dtype,
                device=self._base.device,
            )

    def calibration(self, name: str) -> Calibration:
        """How the scores of a loaded adapter are read; the identity for an unknown name."""
        return self._calibrations.get(name, Calibration())

    def unload(self, name: str) -> None:
        """Forget an adapter; an unknown name is ignored."""
        self._loaded.pop(name, None)
        self._calibrations.pop(name, None)
        self._merged.pop(name, None)

    def weights(self, name: str) -> tuple[list[Block] | None, list[BlockLora] | None]:
        """The blocks with an adapter added in, or the adapter to read beside them.

        Raises:
            AdapterError: If no adapter of that name is loaded.
        """
        own = self._loaded.get(name)
        if own is None:
            raise AdapterError(f"No adapter called {name} is loaded.")
        if not self._mergeable:
            return None, own
        if name not in self._merged:
            while len(self._merged) >= _MERGED_ADAPTERS:
                self._merged.popitem(last=False)
            pairs = zip(self._decoder.blocks, own, strict=True)
            self._merged[name] = [merged(block, part) for block, part in pairs]
        self._merged.move_to_end(name)
        return self._merged[name], None


def _calibration(adapter: Adapter) -> Calibration:
    try:
        return Calibration.from_json(adapter.origin.get("calibration", {}))
    except (TypeError, AttributeError) as error:
        raise AdapterError(f"The calibration in {lora.ORIGIN_FILE} is damaged: {error}") from error
