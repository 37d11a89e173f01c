"""An embedded server of one model that speaks TF Serving's REST and gRPC interface.

`servable.py` turns a source into what can be called, unless `screening.py` advises against it.
`signature.py` checks and runs calls, `executor.py` gathers those that can share a run, `model.py`
holds the version that is served, `tensors.py`, `rest.py` and `rpc.py` are the two interfaces within
the bounds of `limits.py` and `connection.py`, and `server.py` puts them on sockets.
"""
