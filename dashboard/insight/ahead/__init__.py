"""Capacity ahead: how many more pods fit, what lies in pieces, which nodes could go, when something is full, and what
workloads had better request. Pure, and of one moment: nothing is written.
"""
