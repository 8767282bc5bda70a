"""Task definitions: timeouts, retries and limits of the fifteen steps."""
