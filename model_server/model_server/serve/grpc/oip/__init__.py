"""The messages of the Open Inference Protocol over gRPC: the .proto, and what protoc makes of it (``make protocol``).

Not here: any code of ours.
"""
