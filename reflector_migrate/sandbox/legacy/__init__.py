"""The legacy side: what Celery runs today, and what can be seen of it from outside.

app.py       the stand-in's Celery app
process.py   a recording arrives: webhook's task, poller, reprocess
monolith.py  the pipeline, one step after the other
post.py      consent, Zulip, webhook: the chain behind a good run
plugin/      the one file a real worker loads
reader.py    a deployment's rows, objects and messages as an observation
"""
