"""Training and prediction on a GPU, measured against the rate of its matrix products.

A network of LLaMA 2 7B's shape with random weights is trained and asked with nerloop's own code:
speed does not depend on what the weights are. Nothing is downloaded.

    python benchmarks/gpu.py --out docs/experiments/gpu.json     on a GPU
    python benchmarks/gpu.py --smoke                             a tiny shape, on any machine
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
import transformers

from gpu_figures import Bench, matrix_rate, measured
from gpu_network import LLAMA_2_7B, TINY, in_4_bits, invented, network, tokenizer_for
from model.base.load import LoadedBase
from model.evaluation.machine import code_version, machine


def markdown(result: dict[str, Any]) -> str:
    """The figures as tables for a page."""
    lines = [
        f"{result['device']}, torch {result['torch']}, {result['number_type']}; "
        f"{result['block_parameters'] / 1e9:.3g} billion weights in the blocks; "
        f"ceiling {result['ceiling_flops_per_second'] / 1e12:.3g} TFLOP/s",
    ]
    for weights in ("half_precision", "four_bits"):
        part = result[weights]
        if "skipped" in part:
            lines += ["", f"{weights}: {part['skipped']}"]
            continue
        lines += ["", f"| training, {weights} | texts/step | s/step | tokens/s | of ceiling | GB |"]
        lines += ["|---|---|---|---|---|---|"]
        lines += [
            f"| {row['name']} | {row['texts_per_step']} | {row['seconds_per_step']:.3g} | "
            f"{row['tokens_per_second']:.0f} | {row['fraction_of_ceiling']:.1%} | "
            f"{row['peak_bytes'] / 1e9:.3g} |"
            for row in part["training"]
        ]
        lines += ["", f"| prediction, {weights} | texts/s | tokens/text | of ceiling | GB |"]
        lines += ["|---|---|---|---|---|"]
        lines += [
            f"| {row['name']} | {row['texts_per_second']:.3g} | {row['tokens_per_text']:.0f} | "
            f"{row['fraction_of_ceiling']:.1%} | {row['peak_bytes'] / 1e9:.3g} |"
            for row in part["prediction"]
        ]
    return "\n".join(lines)


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Build the network and measure it, as it is and in 4 bits."""
    smoke = bool(arguments.smoke)
    device = "cpu" if smoke else "cuda"
    shape = TINY if smoke else {**LLAMA_2_7B, "num_hidden_layers": arguments.blocks}
    texts = invented(24 if smoke else arguments.texts, seed=0)
    made = network(shape, device)
    base = LoadedBase(made, tokenizer_for(texts), "0" * 64, "random")
    tokens, repeats = (256, 3) if smoke else (4096, 20)
    rate = matrix_rate(made.config, base.output_weight, tokens, repeats)
    bench = Bench(base, rate, texts, 8 if smoke else 64, 2 if smoke else 10)
    result = {
        "device": torch.cuda.get_device_name() if not smoke else "CPU, tiny shape",
        "torch": torch.__version__,
        "machine": machine(),
        "version": code_version(),
        "transformers": transformers.__version__,
        "number_type": str(base.dtype).removeprefix("torch."),
        "shape": shape,
        "block_parameters": bench.block_parameters,
        "ceiling_flops_per_second": rate,
        "half_precision": measured(bench, large=8 if smoke else 32),
    }
    if smoke:
        result["four_bits"] = {"skipped": "4-bit weights need a GPU"}
    elif importlib.util.find_spec("bitsandbytes") is None:
        result["four_bits"] = {"skipped": "bitsandbytes is not installed"}
    else:
        small = replace(base, model=in_4_bits(made))
        result["four_bits"] = measured(replace(bench, base=small), large=32)
    return result


def main() -> int:
    """Parse the options, measure, write JSON and print tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--smoke", action="store_true", help="a tiny shape on the CPU")
    parser.add_argument("--out", type=Path, help="JSON file for the figures")
    parser.add_argument("--blocks", type=int, default=32, help="fewer fit into a smaller GPU")
    parser.add_argument("--texts", type=int, default=512, help="texts that are predicted")
    arguments = parser.parse_args()
    if not arguments.smoke and not torch.cuda.is_available():
        print("There is no GPU that torch can use. Try --smoke, which needs none.", file=sys.stderr)
        return 2
    try:
        result = run(arguments)
    except torch.OutOfMemoryError as error:
        print(f"The GPU's memory does not suffice ({error}). Try --blocks 8.", file=sys.stderr)
        return 1
    print(markdown(result))
    if arguments.out is not None:
        arguments.out.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
