"""The only SQL of the project: what was annotated, trained, published, promoted and predicted."""
