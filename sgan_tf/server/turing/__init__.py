"""The visual Turing test of the paper: which of nine images are generated?

`pictures.py` draws the nine images, `trials.py` remembers which are real until the answer comes,
`votes.py` stores the answers, and `routes.py` answers the browser. `proportions.py` and
`summary.py` make the table of the votes, without a server.
"""
