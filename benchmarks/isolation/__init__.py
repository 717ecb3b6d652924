"""Whether anybody waits for another: two worker processes in their defaults, and one fault after the other."""
