"""An embedded server of one model that speaks TF Serving's REST and gRPC interface.

`servable.py` turns a source into what can be called, `signature.py` checks and batches calls,
`model.py` holds the version that is served, `tensors.py`, `rest.py` and `rpc.py` are the two
interfaces, and `run.py` puts them on sockets.
"""
