"""KServe's inference clients against a model of late flights; prints what each call gave. Run by the clients' own Python."""

import asyncio
import json
import sys

import numpy as np
from kserve import InferenceGRPCClient, InferenceRESTClient, InferInput, InferRequest, RESTConfig

COLUMNS = {
    "distance": (np.array([100.0, 200.0]), "FP64"),
    "wind": (np.array([3, 4], np.int32), "INT32"),
    "carrier": (np.array(["AA", "Zürich"], object), "BYTES"),
    "holiday": (np.array([True, False]), "BOOL"),
}
ROWS = [dict(zip(COLUMNS, row, strict=True)) for row in ([100.0, 3, "AA", True], [200.0, 4, "Zürich", False])]


def request(binary):
    inputs = []
    for name, (values, datatype) in COLUMNS.items():
        item = InferInput(name=name, shape=list(values.shape), datatype=datatype)
        item.set_data_from_numpy(values, binary_data=binary)
        inputs.append(item)
    return InferRequest(model_name="x", infer_inputs=inputs)


def given(response):
    outputs = {item.name: np.asarray(item.as_numpy()).ravel().tolist() for item in response.outputs}
    return {name: outputs[name] for name in ("predict", "predict_proba")}


async def refused(call):
    try:
        await call
    except Exception as error:
        return str(error)
    return "not refused"


async def main(http, grpc):
    url = f"http://{http}"
    v1, v2 = InferenceRESTClient(RESTConfig(protocol="v1")), InferenceRESTClient(RESTConfig(protocol="v2"))
    rpc = InferenceGRPCClient(url=grpc)
    return {
        "REST v1 is_server_live": await v1.is_server_live(url),
        "REST v1 is_model_ready": await v1.is_model_ready(url, "x"),
        "REST v1 infer, instances": await v1.infer(url, {"instances": ROWS}, model_name="x"),
        "REST v1 infer, inputs": await v1.infer(url, {"inputs": ROWS}, model_name="x"),
        "REST v2 is_server_live": await v2.is_server_live(url),
        "REST v2 is_server_ready": await v2.is_server_ready(url),
        "REST v2 is_model_ready": await v2.is_model_ready(url, "x"),
        "REST v2 infer, JSON": given(await v2.infer(url, request(False), model_name="x")),
        "REST v2 infer, bytes": given(await v2.infer(url, request(True), model_name="x")),
        "REST v2 infer, of another model": await refused(v2.infer(url, request(False), model_name="y")),
        "gRPC is_server_live": await rpc.is_server_live(),
        "gRPC is_server_ready": await rpc.is_server_ready(),
        "gRPC is_model_ready": await rpc.is_model_ready("x"),
        "gRPC infer, typed": given(await rpc.infer(request(False))),
        "gRPC infer, raw": given(await rpc.infer(request(True))),
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asyncio.run(main(sys.argv[1], sys.argv[2]))))
