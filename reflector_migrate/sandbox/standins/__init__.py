"""Stand-ins of the outside services: one local process, each service a file of its own.

`python -m reflector_migrate.sandbox.standins --port 0 --recordings DIR` serves, in
memory only:

/daily/v1       recordings, participants, presence, as a test put them
/recogniser     words for the audio at a URL (built when first asked), or a replay
/llm/v1         chat completions drawn from the text that is sent, or a replay
/zulip/api/v1   messages: post, edit, find, delete
/webhook/PATH   keeps each delivery to the byte
/control        PUT/GET/DELETE faults, noise, replay; PUT daily/recordings,
                daily/presence, webhooks (statuses); GET requests, zulip, webhooks,
                health; POST reset

`client.StandinControl` speaks to /control; `running.running_standins` starts one.
"""
