"""Asking scoring endpoints and wikis' APIs: requests, replies, limits and circuits."""
