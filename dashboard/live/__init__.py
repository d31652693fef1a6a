"""Who looks at what: screens, their snapshots, and the hub that sends what changed to whoever looks."""
