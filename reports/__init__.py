"""Renders one frozen document as text, HTML, JSON, Markdown or JUnit; decides nothing."""
