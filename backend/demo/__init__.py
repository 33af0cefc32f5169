"""The demo project "Garden help desk": our own texts, labels and gold spans."""
