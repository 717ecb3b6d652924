"""Getting scores: which models score an edit, who asks for them, and how the endpoints answer."""
