"""Who takes a call, and whom do we call next?"""
