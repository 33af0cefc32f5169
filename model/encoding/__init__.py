"""What every method on a bidirectional encoder needs: words, tags, states, adapters, training."""
