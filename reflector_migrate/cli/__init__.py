"""`migrate`: one file a subcommand; parse, call one function, exit with its code."""
