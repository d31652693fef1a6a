"""Objects edited by the forms that new ones are made with (docs/adr/0063)."""
