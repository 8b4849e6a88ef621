"""The endpoints, by what they speak of."""
