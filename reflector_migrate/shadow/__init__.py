"""From one small message of the primary to a stored comparison; never the other way."""
