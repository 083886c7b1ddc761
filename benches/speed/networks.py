"""Networks of the sizes that the extension trains, for onnxruntime."""

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

random = np.random.default_rng(1)


def session(widths):
    """Dense layers with relu between them, random weights; one thread."""
    nodes, weights, name = [], [], "x"
    for i, (a, b) in enumerate(zip(widths, widths[1:])):
        weights.append(numpy_helper.from_array(random.normal(0, a**-0.5, (a, b)).astype("f4"), f"w{i}"))
        weights.append(numpy_helper.from_array(np.zeros(b, "f4"), f"b{i}"))
        last = i + 2 == len(widths)
        nodes.append(helper.make_node("Gemm", [name, f"w{i}", f"b{i}"], ["y" if last else f"h{i}"]))
        name = f"h{i}"
        if not last:
            nodes.append(helper.make_node("Relu", [name], [f"r{i}"]))
            name = f"r{i}"
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, width]) for name, width in (("x", widths[0]), ("y", widths[-1]))]
    graph = helper.make_graph(nodes, "dense", ends[:1], ends[1:], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


class Ensemble:
    """The mean of eight networks with three hidden layers of 128."""

    def __init__(self, inputs, outputs, members=8):
        self.inputs = inputs
        self.members = [session([inputs, 128, 128, 128, outputs]) for _ in range(members)]

    def __call__(self, rows):
        return sum(member.run(None, {"x": rows})[0] for member in self.members) / len(self.members)
