"""Two recordings compared: their intervals are the samples. Statistics, what is claimed, and what casts doubt on it."""
