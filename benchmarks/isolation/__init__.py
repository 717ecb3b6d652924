"""What one hung part costs the others: two worker processes in their defaults, and one fault after the other."""
