"""A package with the signatures of Reflector 0.23.2 and with prompts of its own."""
