"""Reads for a user: what may be seen, filtered, sorted and cut to a window. Nothing here renders or writes."""
