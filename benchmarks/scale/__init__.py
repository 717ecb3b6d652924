"""Many wikis, most of them idle: what they cost, how soon an edit is seen, and what an edit of a long backlog costs."""
