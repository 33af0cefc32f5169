"""The label-aware method: an encoder that reads the labels behind the text."""
