"""The commands of ``cardhour``, one a file. Each is imported when it is called, so that help is quick."""
