"""What happens to a recording; knows no engine."""
