"""A whole floor in one process without a clock: a model of Asterisk, faults, and the product's own cores.

One seed is one story: `python -m tests.simulation SEED` plays it again.
"""
