"""What is done now and then, by beat or by hand: new model versions, purges, expiry, and filling in what is missing."""
