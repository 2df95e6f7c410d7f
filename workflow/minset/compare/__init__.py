"""Tables of a study: rows of many runs side by side, and statistics that compare selectors."""
