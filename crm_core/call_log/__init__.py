"""Every call: the timeline of facts, the rows computed from it, and the gaps nobody saw."""
