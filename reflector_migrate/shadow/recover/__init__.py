"""Acts on a run that went wrong: retry, rerun, reopen, replay."""
