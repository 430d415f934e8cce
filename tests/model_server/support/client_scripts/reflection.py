"""A client that knows nothing of the protocol: it learns the messages by gRPC's reflection, as grpcurl does, and calls."""

import json
import sys

import grpc
from google.protobuf import json_format
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

SERVICE = "inference.GRPCInferenceService"
TENSORS = {
    "distance": ("FP64", "fp64Contents", [100.0, 200.0]),
    "wind": ("INT32", "intContents", [3, 4]),
    "carrier": ("BYTES", "bytesContents", ["QUE=", "WsO8cmljaA=="]),
    "holiday": ("BOOL", "boolContents", [True, False]),
}


def main(address):
    with grpc.insecure_channel(address) as channel:
        database = ProtoReflectionDescriptorDatabase(channel)
        service = DescriptorPool(database).FindServiceByName(SERVICE)

        def call(name, **fields):
            method = service.methods_by_name[name]
            message = json_format.ParseDict(fields, GetMessageClass(method.input_type)())
            answer = GetMessageClass(method.output_type)
            made = channel.unary_unary(f"/{SERVICE}/{name}", type(message).SerializeToString, answer.FromString)
            return json_format.MessageToDict(made(message, timeout=20), preserving_proto_field_name=True)

        inputs = [
            {"name": name, "datatype": datatype, "shape": [2], "contents": {field: values}}
            for name, (datatype, field, values) in TENSORS.items()
        ]
        return {
            "list of services": sorted(database.get_services()),
            "ServerReady": call("ServerReady")["ready"],
            "ModelInfer": [item["contents"] for item in call("ModelInfer", model_name="x", inputs=inputs)["outputs"]][:2],
        }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(sys.argv[2])))
