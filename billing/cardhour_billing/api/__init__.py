"""``/api/v1``: what a customer sees in the portal, for programs. Its OpenAPI document has each route; docs/api.md, how.

Owns routes, shapes and errors of the API. Does not own what they tell (the same modules that pages read) nor who may
see what (``portal.access``). A call is made by a key, never by a browser's session: no page can make one unasked.

Money is a decimal string with the currency's decimals, a quantity an integer of card-microseconds, a time RFC 3339.
"""
