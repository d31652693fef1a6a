"""New objects by form: one declaration a kind, read, checked while somebody types, and made as YAML makes them."""
