"""A wiki's own tables: their shape, what is read from them, and what is written to those of an emulated wiki."""
