"""The customers' pages: the list, one file, and the form that makes or changes one."""
