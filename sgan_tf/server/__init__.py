"""An embedded server of one model with TF Serving's REST and gRPC interfaces.

`servable.py` turns a source into callable functions, unless `screening.py` finds that it should not
be served. `signature.py` checks and runs calls, `executor.py` combines calls that can share a run,
and `model.py` holds the served version. `tensors.py` and `rest.py` implement the REST interface and
`rpc.py` the gRPC interface, within the limits of `limits.py` and `connection.py`. `server.py` binds
them to sockets.
"""
