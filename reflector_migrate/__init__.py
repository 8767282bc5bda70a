"""Moves a pipeline from Celery to Conductor, and proves it equal first.

The way of a recording, and the room of each stretch:

    Reflector's own task runs in its own worker                       (theirs)
      plugin/           one file in that worker announces the run and times its steps
      shadow/           dispatcher copies the inputs and starts the candidate, once;
                        collector waits for both sides; observe/ reads what each left
      conductor/        definitions, workers and progress of the fifteen tasks
      pipeline/         what the steps do; knows no engine; one way out: effects.py
    comparators/        two observations in, counts and findings out; pure
      judge/            counts against the noise floor: verdict, blame; pure
      store/            runs, evidence, audit; the only sessions
      cutover/          what a phase still lacks
    reports/            one frozen document as terminal, HTML, Markdown, JUnit
      sandbox/          real servers on a bare machine, stand-ins of the outside world
      experiments/      whole runs there: defects, false alarms, the demo
      cli/              `migrate`: parse, call one function, exit with its code

Nouns are in model/, settings in settings/, errors and exit codes in errors.py.
"""
