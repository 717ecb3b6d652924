"""Single flight, tier by tier and through all of them."""
