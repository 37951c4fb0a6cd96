"""A living network: nodes that drop out, work that drags on, transfers that fail, rounds that do not wait.

A round goes through these files: :mod:`draws` says who is away, how slow work is and how often transfers are
sent; :mod:`flow` follows from there which updates and models come where; :mod:`loads` and :mod:`costs` say
what that costs; :mod:`closing` plays rounds that do not wait for all; :mod:`record` keeps what happened, for
the training and for the files.
"""
