"""What can be ordered: models with their inputs and prices, read from data."""
