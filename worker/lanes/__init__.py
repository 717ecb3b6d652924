"""How any lane is served: doorbell, turns, places, circuits, and the processes that take turns."""
