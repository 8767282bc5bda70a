"""Stand-ins of the outside services: one local process, each service a file of its own.

`python -m reflector_migrate.sandbox.standins --port 0 --recordings DIR` serves
Daily, recogniser, language model, Zulip and a webhook receiver, with faults and
noise that a control endpoint switches on. State lives in memory only.
"""
