"""The routes of the API: one file a noun, each with its shapes."""
