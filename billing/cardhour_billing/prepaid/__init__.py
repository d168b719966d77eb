"""Between month ends: prepaid customers charged hour by hour, and what is said when their credit runs low."""
