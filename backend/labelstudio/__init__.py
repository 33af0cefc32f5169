"""The only code that knows Label Studio's dialect."""
