"""Who may sign in and who may call: users, roles, second factors, keys of the API."""
