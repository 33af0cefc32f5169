"""Readers of annotated text."""
