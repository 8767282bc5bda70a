"""Real servers on a bare machine, and everything needed to be rid of them again.

process   start, record, verify and stop process groups
download  the Conductor jar, pinned and verified
servers   argv, environment and readiness of each server and worker
stack     the whole: `Sandbox.up()`, `.down()`, `.status()`; `load_running(dir)`
standins  local HTTP servers in place of the outside services
"""
