"""What strangers try: every address by everybody, sessions, forms, headers, files that spreadsheets open, logs."""
