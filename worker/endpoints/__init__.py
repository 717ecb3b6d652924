"""Asking scoring endpoints: what they are sent, what they answer, and how much they are asked at once."""
