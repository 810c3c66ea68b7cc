"""Tests mirror the packages; see CONTRIBUTING for how to run a part of them."""
