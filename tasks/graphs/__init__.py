"""The graphs of the two models that tell speakers apart, without weights, and what makes them."""
