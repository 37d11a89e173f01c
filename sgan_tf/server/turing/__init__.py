"""The visual Turing test of the paper: which of nine images are generated?

`pictures.py` draws the nine, `trials.py` keeps what they are until they are answered, `votes.py`
keeps the answers, and `routes.py` is what a browser asks. `proportions.py` and `summary.py` make
the table of the votes, without a server.
"""
