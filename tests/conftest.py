"""What every test may use: the laboratory's fixtures, and Hypothesis without a stopwatch."""

from __future__ import annotations

from hypothesis import settings

# Speed lives in `make bench`: a deadline in a property test only tells how busy the machine is.
settings.register_profile("zuoxi", deadline=None)
settings.load_profile("zuoxi")

pytest_plugins = ["tests.lab.fixtures"]
