"""Stand-ins for services the worker talks to, run as real servers by tests, the demo and benchmarks."""
