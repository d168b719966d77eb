"""The month close: read, rated and frozen once a time zone, then customer by customer, with a checklist."""
