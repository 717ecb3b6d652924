"""How any lane is served: rung for, claimed from, worked on, held."""
