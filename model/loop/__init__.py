"""The loop's rules as pure functions of values: arms, trigger, gold, fingerprints."""
