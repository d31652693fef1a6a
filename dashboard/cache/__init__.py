"""Typed copies of the cluster's objects, kept equal to the API server by list and watch."""
