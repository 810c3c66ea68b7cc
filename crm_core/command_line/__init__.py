"""Commands of `zuoxi` that need only the records, one file a word: migrate, user, token, import,
export.

Each has `declare(commands)`, which `zuoxi.py` calls to build its tree; what is heavy is imported by
the command that needs it, so that `zuoxi --help` starts like bare Python.
"""
