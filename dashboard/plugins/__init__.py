"""Plugins: what they may bring (``interface``), and how they are found, checked and kept from harm (``host``)."""
