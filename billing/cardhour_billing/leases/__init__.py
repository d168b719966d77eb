"""What is paid by time: leases and add-ons, which usage they cover, and what a piece of a period costs."""
