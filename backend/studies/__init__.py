"""Studies of the methods: arms that differ in one thing, measured on the same data."""
