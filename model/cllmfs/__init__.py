"""CLLMFS: a small language model with LoRA, a contrastive term and span-copy decoding."""
