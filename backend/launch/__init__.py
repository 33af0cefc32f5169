"""What `nerloop up` and `nerloop demo` start on one machine, and how it is stopped again."""
