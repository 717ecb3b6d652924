"""The command `outpatrol`; one module a command."""
