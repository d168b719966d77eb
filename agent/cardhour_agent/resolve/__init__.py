"""Who a place on a node works for: pods, jobs, containers, users and machines, asked of those who started them."""
