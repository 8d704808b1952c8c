"""The comparison with peers: public and random layers, timed in turns with what other libraries do.

`tconv bench` runs it. Nothing here is imported before it is asked for, and no peer before it is measured.
"""
