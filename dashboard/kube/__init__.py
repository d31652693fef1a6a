"""The one gateway to the cluster: which clusters there are, how to reach them, and what their errors mean.

Only this package imports ``kubernetes``.
"""
