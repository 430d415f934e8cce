"""gRPC: the Open Inference Protocol's services on grpc.aio."""
