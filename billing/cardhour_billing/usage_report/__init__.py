"""Reports of a customer's usage for any range and grouping, made as a stream that never stands whole in memory."""
