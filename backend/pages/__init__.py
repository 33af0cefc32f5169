"""The admin pages: values for templates, made by pure functions, and the one rendering place."""
