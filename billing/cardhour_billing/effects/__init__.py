"""What a change would do in money, before anybody makes it."""
