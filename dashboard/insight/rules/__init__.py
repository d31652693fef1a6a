"""One rule, one small function with a name: what can be wrong with each kind of object."""
