"""Fleet and margin: what a month's cards did, earned and cost, and a picture of some cards hour by hour."""
