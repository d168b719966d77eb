"""The API, called in this process over real stores."""
