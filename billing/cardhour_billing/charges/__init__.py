"""What a month charges beside usage: each provider is asked what it has for a customer and a month."""
