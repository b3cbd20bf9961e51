#!/usr/bin/env python3
"""Networks, inputs and ONNX Runtime's outputs, for the parity driver to compare with.

  make_cases.py operators OUT            small networks over all operators, opsets and attributes that the reader takes
  make_cases.py networks OUT MODELS      the third-party networks in the folder MODELS, natural-like pictures

Each case is NAME.onnx (or a line in NAME.path with the file's place) and NAME.bin, little-endian: the magic "LVP1", divisor
(float; 0 means that inputs are floats, else they are bytes to be divided by it), then as uint32 the number of inputs,
elements of one input, number of outputs, elements of each output; then for each input its data and the outputs' floats.
"""
import argparse
import os
import struct
import sys

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper

FLOAT, INT64 = TensorProto.FLOAT, TensorProto.INT64
SEED = 20261122


def session(model):
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    return ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def write(path, divisor, inputs, outputs):
    """inputs: one array an input; outputs: for each input a list of arrays."""
    with open(path, "wb") as f:
        sizes = [o.size for o in outputs[0]]
        f.write(b"LVP1" + struct.pack("<f3I", divisor, len(inputs), inputs[0].size, len(sizes)) + struct.pack(f"<{len(sizes)}I", *sizes))
        for x, ys in zip(inputs, outputs):
            f.write(x.tobytes())
            for y in ys:
                f.write(np.ascontiguousarray(y, np.float32).tobytes())


# ---------------------------------------------------------------- operators
class Net:
    """A network under construction: nodes in a chain or wired by name."""

    def __init__(self, rng, opset):
        self.rng, self.opset, self.nodes, self.initializers, self.count = rng, opset, [], [], 0

    def name(self, stem):
        self.count += 1
        return f"{stem}_{self.count}"

    def const(self, array, stem="w"):
        name = self.name(stem)
        self.initializers.append(numpy_helper.from_array(np.asarray(array), name))
        return name

    def ints(self, *values):
        return self.const(np.array(values, np.int64), "i")

    def random(self, *shape, low=-1.0, high=1.0):
        return self.const(self.rng.uniform(low, high, shape).astype(np.float32))

    def op(self, kind, *inputs, outputs=1, **attributes):
        names = [self.name(kind.lower()) for _ in range(outputs)]
        self.nodes.append(helper.make_node(kind, list(inputs), names, name=self.name(kind), **attributes))
        return names[0] if outputs == 1 else names

    # forms that changed with the opset
    def clip(self, x, low=None, high=None):
        if self.opset < 11:
            return self.op("Clip", x, **{k: v for k, v in (("min", low), ("max", high)) if v is not None})
        scalar = lambda v: "" if v is None else self.const(np.float32(v))
        return self.op("Clip", x, scalar(low), scalar(high))

    def listed(self, kind, x, axes, since, **attributes):
        """An operator whose axes moved from an attribute to an input."""
        if self.opset < since:
            return self.op(kind, x, axes=axes, **attributes)
        return self.op(kind, x, self.ints(*axes), **attributes)

    def slice(self, x, starts, ends, axes, steps=None):
        if self.opset < 10:
            return self.op("Slice", x, starts=starts, ends=ends, axes=axes)
        extra = [self.ints(*steps)] if steps else []
        return self.op("Slice", x, self.ints(*starts), self.ints(*ends), self.ints(*axes), *extra)

    def split(self, x, sizes, axis, count=None):
        n = count or len(sizes)
        if self.opset < 13:
            return self.op("Split", x, outputs=n, axis=axis, **({"split": sizes} if sizes else {}))
        extra = [self.ints(*sizes)] if sizes else []
        attributes = {"num_outputs": n} if self.opset >= 18 and not sizes else {}
        return self.op("Split", x, *extra, outputs=n, axis=axis, **attributes)

    def pad(self, x, pads, value=0.0, mode="constant"):
        if self.opset < 11:
            return self.op("Pad", x, pads=pads, value=value, mode=mode)
        return self.op("Pad", x, self.ints(*pads), self.const(np.float32(value)), mode=mode)


CASES = {}


def case(name, opsets=(9, 13, 21), shape=(1, 4, 9, 11), **variants):
    """Registers a builder of a network: builder(net, x, **variant) returns the output name or names."""

    def register(builder):
        for opset in opsets:
            for key, variant in (variants or {"": {}}).items():
                CASES["_".join(filter(None, (name, key, f"v{opset}")))] = (builder, variant, opset, shape)
        return builder

    return register


@case("conv", one=dict(k=(1, 1)), three=dict(k=(3, 3), pads=[1, 1, 1, 1]), uneven=dict(k=(3, 2), pads=[0, 1, 2, 0], strides=[2, 1]),
      dilated=dict(k=(3, 3), dilations=[2, 3], pads=[2, 3, 2, 3]), grouped=dict(k=(3, 3), group=2), depthwise=dict(k=(5, 5), group=4, pads=[2] * 4, strides=[2, 2]),
      upper=dict(k=(3, 4), auto_pad="SAME_UPPER", strides=[2, 2]), lower=dict(k=(2, 4), auto_pad="SAME_LOWER", strides=[2, 3]),
      valid=dict(k=(3, 3), auto_pad="VALID"), nobias=dict(k=(3, 3), bias=False), widest=dict(k=(9, 11)))
def conv(net, x, k, group=1, bias=True, **attributes):
    return net.op("Conv", x, net.random(8, 4 // group, *k), *([net.random(8)] if bias else []), group=group, kernel_shape=k, **attributes)


@case("conv_transpose", opsets=(9, 11, 21), shape=(1, 4, 5, 6), plain=dict(k=(2, 2), strides=[2, 2]), padded=dict(k=(4, 3), strides=[2, 2], pads=[1, 0, 1, 1]),
      extra=dict(k=(3, 3), strides=[2, 3], pads=[1, 1, 1, 1], output_padding=[1, 2]), grouped=dict(k=(3, 3), group=2, strides=[2, 2]),
      dilated=dict(k=(2, 3), dilations=[2, 2]), shaped=dict(k=(3, 3), strides=[2, 2], output_shape=[10, 12]),
      upper=dict(k=(3, 3), strides=[2, 2], auto_pad="SAME_UPPER"), lower=dict(k=(3, 3), strides=[2, 2], auto_pad="SAME_LOWER"))
def conv_transpose(net, x, k, group=1, **attributes):
    return net.op("ConvTranspose", x, net.random(4, 6 // group, *k), net.random(6), group=group, kernel_shape=k, **attributes)


@case("batch_norm", opsets=(9, 14, 15, 21), image={}, flat=dict(flat=True))
def batch_norm(net, x, flat=False):
    c = 4
    if flat:
        x, c = net.op("Flatten", x), 4 * 9 * 11
    return net.op("BatchNormalization", x, net.random(c), net.random(c), net.random(c), net.random(c, low=0.1, high=2.0), epsilon=1e-3)


@case("prelu", channels=dict(s=(4, 1, 1)), full=dict(s=(1, 4, 1, 1)), one=dict(s=(1,)), width=dict(s=(11,)), every=dict(s=(4, 9, 11)))
def prelu(net, x, s):
    return net.op("PRelu", x, net.random(*s))


@case("prelu_flat", shape=(1, 4, 3, 3))
def prelu_flat(net, x):
    return net.op("PRelu", net.op("Flatten", x), net.random(36))


@case("activation", relu=dict(kind="Relu"), leaky=dict(kind="LeakyRelu", alpha=0.2), leaky_default=dict(kind="LeakyRelu"), sigmoid=dict(kind="Sigmoid"),
      tanh=dict(kind="Tanh"), hard=dict(kind="HardSigmoid", alpha=0.3, beta=0.4), hard_default=dict(kind="HardSigmoid"))
def activation(net, x, kind, **attributes):
    return net.op(kind, net.op("Mul", x, net.const(np.float32(4))), **attributes)


@case("hard_swish", opsets=(14, 21))
def hard_swish(net, x):
    return net.op("HardSwish", net.op("Mul", x, net.const(np.float32(4))))


@case("clip", opsets=(9, 11, 13, 21), both=dict(low=-0.5, high=0.25), low=dict(low=-0.1), zero=dict(low=0.0), high=dict(high=0.3), none={},
      six=dict(low=0.0, high=6.0))
def clip(net, x, low=None, high=None):
    return net.clip(x, low, high)


@case("decomposed", opsets=(9, 11, 13, 21), div={}, times=dict(times=True), early=dict(early=True), swapped=dict(swapped=True), sigmoid=dict(sigmoid=True), alone=dict(alone=True))
def decomposed(net, x, times=False, early=False, swapped=False, sigmoid=False, alone=False):
    x = net.op("Mul", x, net.const(np.float32(6)))
    six = net.const(np.float32(1 / 6 if times else 6))
    sixth = lambda v: net.op("Mul" if times else "Div", v, six)
    if sigmoid:
        return net.op("Mul", x, net.op("HardSigmoid", x, alpha=1 / 6, beta=0.5))
    three = net.const(np.array([3], np.float32))
    gate = net.clip(net.op("Add", *((three, x) if swapped else (x, three))), 0.0, 6.0)
    if alone:
        return sixth(gate)
    if early:
        return net.op("Mul", sixth(gate), x)
    return sixth(net.op("Mul", *((gate, x) if swapped else (x, gate))))


@case("softmax", opsets=(9, 11, 13, 21), default={}, one=dict(axis=1), last=dict(axis=-1), two=dict(axis=2))
def softmax(net, x, **attributes):
    return net.op("Softmax", net.op("Mul", x, net.const(np.float32(5))), **attributes)


@case("binary", opsets=(9, 14), add=dict(kind="Add"), sub=dict(kind="Sub"), mul=dict(kind="Mul"), div=dict(kind="Div"))
def binary(net, x, kind):
    pool = net.op("GlobalAveragePool", x)
    shifted = net.op("Add", x, net.const(np.float32(3)))
    outputs = []
    for other in (net.random(4, 1, 1, low=0.5), net.random(1, 4, 9, 11, low=0.5), net.random(9, 1, low=0.5), net.random(11, low=0.5), net.const(np.float32(2.5)), shifted):
        outputs.append(net.op(kind, x, other))
        outputs.append(net.op(kind, other, shifted))
    outputs.append(net.op(kind, pool, shifted))  # broadcasts a computed value
    outputs.append(net.op(kind, shifted, net.op("Add", pool, net.const(np.float32(2)))))
    outputs.append(net.op(kind, net.op("Flatten", pool), net.random(1, 4, low=0.5)))
    return outputs


@case("max_pool", opsets=(9, 11, 21), two=dict(kernel_shape=[2, 2], strides=[2, 2]), padded=dict(kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1]),
      uneven=dict(kernel_shape=[3, 2], strides=[1, 3], pads=[0, 1, 2, 0]), ceil=dict(kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1),
      ceil_padded=dict(kernel_shape=[3, 3], strides=[2, 2], pads=[0, 0, 1, 1], ceil_mode=1), upper=dict(kernel_shape=[2, 3], strides=[2, 2], auto_pad="SAME_UPPER"),
      lower=dict(kernel_shape=[2, 3], strides=[2, 2], auto_pad="SAME_LOWER"), sparse=dict(kernel_shape=[1, 1], strides=[2, 2], ceil_mode=1))
def max_pool(net, x, **attributes):
    if net.opset < 10:
        if attributes.get("ceil_mode"):
            return None
    return net.op("MaxPool", x, **attributes)


@case("max_pool_dilated", opsets=(10, 21))
def max_pool_dilated(net, x):
    return net.op("MaxPool", x, kernel_shape=[2, 3], dilations=[3, 2], pads=[1, 1, 1, 1])


@case("average_pool", opsets=(10, 11, 19, 21), two=dict(kernel_shape=[2, 2], strides=[2, 2]), padded=dict(kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1]),
      counted=dict(kernel_shape=[3, 3], strides=[2, 1], pads=[1, 0, 1, 2], count_include_pad=1), ceil=dict(kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1),
      ceil_three=dict(kernel_shape=[3, 4], strides=[3, 3], pads=[1, 1, 0, 0], ceil_mode=1),
      upper=dict(kernel_shape=[3, 3], strides=[2, 2], auto_pad="SAME_UPPER"), valid=dict(kernel_shape=[3, 3], auto_pad="VALID"))
def average_pool(net, x, **attributes):
    return net.op("AveragePool", x, **attributes)


@case("global_pool", opsets=(9, 21), average=dict(kind="GlobalAveragePool"), max=dict(kind="GlobalMaxPool"))
def global_pool(net, x, kind):
    return net.op(kind, x)


@case("reduce_mean", opsets=(9, 13, 18, 21), space=dict(axes=[2, 3]), negative=dict(axes=[-1, -2], keepdims=0), channels=dict(axes=[1]), rows=dict(axes=[2], keepdims=0),
      all=dict(axes=[1, 2, 3], keepdims=0))
def reduce_mean(net, x, axes, **attributes):
    return net.listed("ReduceMean", x, axes, 18, **attributes)


@case("gemm", shape=(1, 4, 2, 3), opsets=(9, 11, 13, 21), plain={}, transposed=dict(transB=1), scaled=dict(alpha=0.5, beta=2.0), scaled_transposed=dict(alpha=0.5, beta=2.0, transB=1),
      row=dict(c=(1, 7)), one=dict(c=(1,)))
def gemm(net, x, c=(7,), **attributes):
    shape = (7, 24) if attributes.get("transB") else (24, 7)
    return net.op("Gemm", net.op("Flatten", x), net.random(*shape), net.random(*c), **attributes)


@case("gemm_no_bias", opsets=(11, 21), shape=(1, 4, 2, 3))
def gemm_no_bias(net, x):
    return net.op("Gemm", net.op("Flatten", x), net.random(24, 5))


@case("matmul", opsets=(9, 13), flat={}, image=dict(image=True), stacked=dict(image=True, lead=(1, 1)), vector=dict(image=True, vector=True), transposed=dict(transposed=True))
def matmul(net, x, image=False, lead=(), vector=False, transposed=False):
    if transposed:
        return net.op("MatMul", net.op("Flatten", x), net.op("Transpose", net.random(5, 396), perm=[1, 0]))
    if image:
        return net.op("MatMul", x, net.random(11) if vector else net.random(*lead, 11, 5))
    return net.op("MatMul", net.op("Flatten", x), net.random(396, 5))


@case("flatten", one=dict(), three=dict(axis=3, first=True), zero=dict(axis=0), negative=dict(axis=-3))
def flatten(net, x, first=False, **attributes):
    if net.opset < 11 and attributes.get("axis", 1) < 0:
        return None
    if first:
        x = net.listed("ReduceMean", x, [1, 2], 18)
    return net.op("Flatten", x, **attributes)


@case("reshape", opsets=(9, 14), flat=dict(to=[1, -1]), zero=dict(to=[0, 4, -1]), open=dict(to=[-1, 396]), split=dict(to=[1, 2, 2, 9, 11]), regroup=dict(to=[1, 9, 4, 11]),
      rows=dict(to=[1, 44, 9]))
def reshape(net, x, to):
    return net.op("Reshape", x, net.ints(*to))


@case("transpose", opsets=(9, 13), nhwc=dict(perm=[0, 2, 3, 1]), swap=dict(perm=[0, 1, 3, 2]), back=dict(perm=[0, 3, 1, 2]))
def transpose(net, x, perm):
    return net.op("Transpose", x, perm=perm)


@case("shuffle", opsets=(9, 13), shape=(1, 6, 3, 5))
def shuffle(net, x):
    y = net.op("Reshape", x, net.ints(1, 2, 3, 3, 5))
    return net.op("Reshape", net.op("Transpose", y, perm=[0, 2, 1, 3, 4]), net.ints(1, -1, 3, 5))


@case("squeeze", opsets=(9, 13, 21), space=dict(axes=[2, 3]), negative=dict(axes=[-1]))
def squeeze(net, x, axes):
    if net.opset < 11 and min(axes) < 0:
        return None
    return net.listed("Squeeze", net.op("GlobalMaxPool", x), axes, 13)


@case("unsqueeze", opsets=(9, 13, 21), middle=dict(axes=[1]), ends=dict(axes=[2, 5]), front=dict(axes=[0]))
def unsqueeze(net, x, axes):
    return net.listed("Unsqueeze", x, axes, 13)


@case("concat", opsets=(9, 13), channels=dict(axis=1), rows=dict(axis=2), negative=dict(axis=-1))
def concat(net, x, axis):
    if net.opset < 11 and axis < 0:
        return None
    return net.op("Concat", x, net.op("Relu", x), net.op("Sigmoid", x), axis=axis)


@case("split", opsets=(9, 11, 13, 18, 21), sizes=dict(sizes=[1, 3], axis=1), equal=dict(sizes=[], axis=1, count=2), rows=dict(sizes=[2, 3, 4], axis=2), last=dict(sizes=[5, 6], axis=-1))
def split(net, x, sizes, axis, count=None):
    if net.opset < 11 and axis < 0:
        return None
    return net.split(x, sizes, axis, count)


@case("split_uneven", opsets=(18, 21))
def split_uneven(net, x):
    return net.op("Split", x, outputs=4, axis=3, num_outputs=4)


@case("slice", opsets=(9, 10, 13), crop=dict(starts=[1, 2], ends=[3, 9], axes=[1, 3]), negative=dict(starts=[-3, 0], ends=[-1, 2**31 - 1], axes=[2, 1]), whole=dict(starts=[0], ends=[2**62], axes=[1]),
      steps=dict(starts=[0, 1], ends=[100, 9], axes=[2, 3], steps=[2, 3]))
def slice_(net, x, starts, ends, axes, steps=None):
    if net.opset < 10 and steps:
        return None
    return net.slice(x, starts, ends, axes, steps)


@case("focus", opsets=(10, 13), shape=(1, 3, 8, 10))
def focus(net, x):
    parts = [net.slice(x, [a, b], [100, 100], [2, 3], [2, 2]) for a in (0, 1) for b in (0, 1)]
    return net.op("Concat", *parts, axis=1)


@case("pad", opsets=(9, 11, 13, 18, 21), zero=dict(pads=[0, 0, 1, 2, 0, 0, 3, 0]), value=dict(pads=[0, 0, 1, 2, 0, 0, 3, 0], value=0.7), channels=dict(pads=[0, 1, 0, 0, 0, 3, 0, 0]),
      reflect=dict(pads=[0, 0, 2, 1, 0, 0, 3, 4], mode="reflect"), edge=dict(pads=[0, 1, 2, 1, 0, 0, 3, 4], mode="edge"), none=dict(pads=[0] * 8))
def pad(net, x, **attributes):
    return net.pad(x, **attributes)


@case("pad_axes", opsets=(18, 21))
def pad_axes(net, x):
    return net.op("Pad", x, net.ints(1, 2, 0, 1), "", net.ints(-1, 2))


def resize_variants():
    variants = {}
    for mode in ("nearest", "linear"):
        for transform in ("asymmetric", "half_pixel", "align_corners", "pytorch_half_pixel"):
            for rounding in ("floor", "ceil", "round_prefer_floor", "round_prefer_ceil") if mode == "nearest" else (None,):
                for size, values in (("double", (2.0, 2.0)), ("odd", (1.6, 2.3)), ("shrink", (0.5, 0.7)), ("sizes", (13, 7))):
                    key = "_".join(filter(None, (mode, transform, rounding, size)))
                    variants[key] = dict(mode=mode, transform=transform, rounding=rounding, values=values)
    return variants


@case("resize", opsets=(11, 13, 19, 21), **resize_variants())
def resize(net, x, mode, transform, rounding, values):
    by_size = isinstance(values[0], int)
    extra = {"nearest_mode": rounding} if rounding else {}
    roi = net.const(np.zeros(0, np.float32)) if net.opset < 13 else ""
    if by_size:
        scales = net.const(np.zeros(0, np.float32)) if net.opset < 13 else ""
        inputs = (roi, scales, net.ints(1, 4, *values))
    else:
        inputs = (roi, net.const(np.array([1, 1, *values], np.float32)))
    return net.op("Resize", x, *inputs, mode=mode, coordinate_transformation_mode=transform, **extra)


@case("resize_axes", opsets=(18, 21))
def resize_axes(net, x):
    return net.op("Resize", x, "", net.const(np.array([3, 2], np.float32)), axes=[3, 2], mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor")


@case("resize_symmetric", opsets=(19, 21))
def resize_symmetric(net, x):
    return net.op("Resize", x, "", net.const(np.array([1, 1, 2, 3], np.float32)), mode="linear", coordinate_transformation_mode="half_pixel_symmetric")


@case("upsample", opsets=(9,), nearest=dict(mode="nearest", scales=(2.0, 3.0)), odd=dict(mode="nearest", scales=(1.5, 1.3)), linear=dict(mode="linear", scales=(2.0, 2.0)),
      linear_odd=dict(mode="linear", scales=(1.5, 2.5)))
def upsample(net, x, mode, scales):
    return net.op("Upsample", x, net.const(np.array([1, 1, *scales], np.float32)), mode=mode)


@case("resize_first", opsets=(10,), nearest=dict(mode="nearest", scales=(2.0, 3.0)), shrink=dict(mode="nearest", scales=(0.5, 0.6)), linear=dict(mode="linear", scales=(2.0, 1.5)))
def resize_first(net, x, mode, scales):
    return net.op("Resize", x, net.const(np.array([1, 1, *scales], np.float32)), mode=mode)


@case("passing", opsets=(9, 12, 13))
def passing(net, x):
    y = net.op("Identity", net.op("Dropout", net.op("Relu", x)))
    return net.op("Add", y, net.op("Constant", value=numpy_helper.from_array(np.float32(1.5))))


@case("aliases", opsets=(13,))
def aliases(net, x):
    y = net.op("Relu", x)
    return [net.op("Identity", x), y, net.op("Identity", y)]


@case("computed_shape", opsets=(9, 13, 15, 21))
def computed_shape(net, x):
    """What exporters write for x.view(x.size(0), -1) and for interpolation to another map's size."""
    first = net.op("Gather", net.op("Shape", x), net.const(np.int64(0)), axis=0)
    flat = net.op("Reshape", x, net.op("Concat", net.listed("Unsqueeze", first, [0], 13), net.ints(-1), axis=0))
    if net.opset < 11:
        return flat
    shape = net.op("Shape", x)
    size = net.op("Slice", shape, net.ints(2), net.ints(4), net.ints(0))
    size = net.op("Cast", net.op("Floor", net.op("Mul", net.op("Cast", size, to=FLOAT), net.const(np.float32(1.5)))), to=INT64)
    head = net.op("Slice", shape, net.ints(0), net.ints(2), net.ints(0))
    empty = net.const(np.zeros(0, np.float32))
    up = net.op("Resize", x, empty, empty, net.op("Concat", head, size, axis=0), mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor")
    return [flat, up]


@case("computed_pad", opsets=(11, 13))
def computed_pad(net, x):
    """What torch writes for F.pad: pairs from the last axis on, turned around by slices with a negative step."""
    given = net.ints(1, 2, 0, 3)
    room = net.op("Sub", net.op("Mul", net.op("Size", net.op("Shape", x)), net.const(np.int64(2))), net.op("Size", given))
    zeros = net.op("ConstantOfShape", net.op("Reshape", room, net.ints(1)), value=numpy_helper.from_array(np.array([0], np.int64)))
    pairs = net.op("Reshape", net.op("Concat", given, zeros, axis=0), net.ints(-1, 2))
    turned = net.op("Slice", pairs, net.ints(-1), net.ints(-(2**63) + 1), net.ints(0), net.ints(-1))
    pads = net.op("Cast", net.op("Reshape", net.op("Transpose", turned, perm=[1, 0]), net.ints(-1)), to=INT64)
    return net.op("Pad", x, pads, net.const(np.float32(0)), mode="constant")


@case("computed_expand", opsets=(13,))
def computed_expand(net, x):
    """Constants prepared in the graph: a ramp, expanded, selected and scaled."""
    n = net.op("Gather", net.op("Shape", x), net.const(np.int64(3)), axis=0)
    ramp = net.op("Cast", net.op("Range", net.const(np.int64(0)), n, net.const(np.int64(1))), to=FLOAT)
    ramp = net.op("Div", ramp, net.op("Sqrt", net.op("Cast", n, to=FLOAT)))
    target = net.ints(9, -1)
    ones = net.op("ConstantOfShape", net.op("Shape", target), value=numpy_helper.from_array(np.array([1], np.int64)))
    target = net.op("Where", net.op("Equal", target, net.ints(-1, -1)), ones, target)
    plane = net.op("Expand", ramp, target)
    outer = net.op("ReduceProd", net.op("Shape", plane), keepdims=0)
    return net.op("Add", net.op("Mul", x, plane), net.op("Cast", outer, to=FLOAT))


@case("typed", opsets=(13,))
def typed(net, x):
    """Weights in other element types and in the typed fields."""
    w = net.rng.uniform(-1, 1, 4).astype(np.float32)
    half = net.op("Cast", net.const(w.astype(np.float16).reshape(4, 1, 1)), to=FLOAT)
    double = net.op("Cast", net.const(w.astype(np.float64).reshape(4, 1, 1)), to=FLOAT)
    fields = net.name("typed")
    net.initializers.append(helper.make_tensor(fields, FLOAT, [4, 1, 1], w.tolist()))
    small = net.op("Cast", net.const(np.array([[-3]], np.int8)), to=FLOAT)
    return net.op("Mul", net.op("Add", net.op("Sub", net.op("Mul", x, half), double), fields), small)


@case("mobile", opsets=(9, 13, 21), shape=(1, 3, 32, 32))
def mobile(net, x):
    """A small network: stem, inverted residuals with squeeze-excite, hard swish, head."""

    def bn(y, c):
        return net.op("BatchNormalization", y, net.random(c, low=0.5, high=1.5), net.random(c), net.random(c), net.random(c, low=0.5, high=1.5))

    def layer(y, cin, cout, k, act=True, **attributes):
        groups = attributes.get("group", 1)
        y = bn(net.op("Conv", y, net.random(cout, cin // groups, k, k, low=-0.3, high=0.3), **attributes), cout)
        return net.op("PRelu", y, net.random(cout, 1, 1)) if act else y

    x = layer(x, 3, 16, 3, strides=[2, 2], pads=[1] * 4)
    for stride, cout in ((1, 16), (2, 24), (1, 24)):
        cin = 16 if cout == 16 or stride == 2 else 24
        y = layer(x, cin, 48, 1)
        y = layer(y, 48, 48, 3, group=48, pads=[1] * 4, strides=[stride, stride])
        gate = net.op("GlobalAveragePool", y)
        gate = net.op("Relu", net.op("Conv", gate, net.random(12, 48, 1, 1), net.random(12)))
        gate = net.op("HardSigmoid", net.op("Conv", gate, net.random(48, 12, 1, 1), net.random(48)), alpha=1 / 6)
        y = layer(net.op("Mul", y, gate), 48, cout, 1, act=False)
        x = net.op("Add", x, y) if stride == 1 else y
    x = net.op("Div", net.op("Mul", x, net.clip(net.op("Add", x, net.const(np.float32(3))), 0.0, 6.0)), net.const(np.float32(6)))
    x = net.listed("ReduceMean", x, [2, 3], 18, keepdims=0)
    return net.op("Softmax", net.op("Gemm", x, net.random(3, 24), net.random(3), transB=1), axis=1)


@case("pyramid", opsets=(11, 13), shape=(1, 3, 32, 40))
def pyramid(net, x):
    """Two scales joined by upsampling, heads flattened to rows and joined, as in detectors."""
    low = net.op("Relu", net.op("Conv", x, net.random(8, 3, 3, 3), net.random(8), strides=[2, 2], pads=[1] * 4))
    deep = net.op("Relu", net.op("Conv", net.op("MaxPool", low, kernel_shape=[2, 2], strides=[2, 2]), net.random(8, 8, 3, 3), pads=[1] * 4))
    none = net.const(np.zeros(0, np.float32))
    up = net.op("Resize", deep, none, net.const(np.array([1, 1, 2, 2], np.float32)), mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor")
    rows = []
    for level in (net.op("Add", low, up), deep):
        head = net.op("Transpose", net.op("Conv", level, net.random(6, 8, 1, 1), net.random(6)), perm=[0, 2, 3, 1])
        rows.append(net.op("Reshape", head, net.ints(1, -1, 3)))
    joined = net.op("Concat", *rows, axis=1)
    score, box = net.split(joined, [1, 2], 2)
    return [net.op("Sigmoid", score), box, net.op("Softmax", joined, axis=2)]


# Batches: the graph of one picture must say of each what the file says of all together.
@case("fixed_batch", opsets=(9, 13), shape=(3, 4, 6, 5), named=dict(to=[3, -1]), whole=dict(to=[3, 120]), open=dict(to=[-1, 120]), computed=dict(to=None))
def fixed_batch(net, x, to):
    y = net.op("Relu", net.op("Conv", x, net.random(4, 4, 3, 3), pads=[1] * 4))
    if to is None:
        first = net.op("Gather", net.op("Shape", y), net.ints(0), axis=0)
        return net.op("Reshape", y, net.op("Concat", first, net.ints(-1), axis=0))
    return net.op("Reshape", y, net.ints(*to))


@case("free_batch", opsets=(9, 13), shape=(None, 4, 6, 5))
def free_batch(net, x):
    first = net.op("Gather", net.op("Shape", x), net.ints(0), axis=0)
    flat = net.op("Reshape", x, net.op("Concat", first, net.ints(-1), axis=0))
    return net.op("Gemm", flat, net.random(120, 3), net.random(3))


def make_operators(out):
    made = 0
    for name, (builder, variant, opset, shape) in CASES.items():
        seed = [SEED, *name.encode()]
        rng = np.random.default_rng(seed)
        net = Net(rng, opset)
        outputs = builder(net, "input", **variant)
        if outputs is None:  # not expressible in this opset
            continue
        outputs = [outputs] if isinstance(outputs, str) else outputs
        graph = helper.make_graph(net.nodes, name, [helper.make_tensor_value_info("input", FLOAT, [d or "N" for d in shape])],
                                  [helper.make_empty_tensor_value_info(o) for o in outputs], net.initializers)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10 if opset > 18 else 8)
        data = model.SerializeToString()
        with open(f"{out}/{name}.onnx", "wb") as f:
            f.write(data)
        batch = shape[0] if shape[0] is not None else 2
        sess = session(data)
        inputs, expected = [], []
        for _ in range(2):
            x = rng.uniform(-1, 1, (batch, *shape[1:])).astype(np.float32)
            results = sess.run(None, {"input": x})
            for i in range(batch):
                inputs.append(x[i])
                expected.append([r[i] if batch > 1 else r for r in results])
        write(f"{out}/{name}.bin", 0.0, inputs, expected)
        made += 1
    print(f"{made} operator cases from ONNX Runtime {ort.__version__}")


# ---------------------------------------------------------------- networks
NETWORKS = {  # divisor of the pixels
    "minifasnet_v2_80_scale2.7": 1, "minifasnet_v1se_80_scale4.0": 1, "minifasnet_v2se_128_scale1.5": 255,
    "yunet_s_320_320": 1, "yunet_s_640_640": 1, "landmark68_64": 256,
}


def picture(rng, channels, height, width):
    """Smooth noise with a spectrum like photographs', with a shade across, an edge, grain, and its own brightness and contrast."""
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None])
    amplitude = 1 / np.maximum(frequency, 1 / max(height, width)) ** rng.uniform(0.9, 1.6)
    phase = np.exp(2j * np.pi * rng.random((channels, *amplitude.shape)))
    q = np.fft.irfft2(amplitude * phase, s=(height, width))
    q = 0.6 * q + 0.4 * q.mean(0)  # colours of a photograph go together
    q = (q - q.mean()) / q.std()
    y, x = np.mgrid[0:1:height * 1j, 0:1:width * 1j]
    angle = rng.uniform(0, 2 * np.pi)
    ramp = np.cos(angle) * (x - 0.5) + np.sin(angle) * (y - 0.5)
    q += rng.uniform(0, 2) * ramp + rng.uniform(-1, 1) * (ramp > rng.uniform(-0.3, 0.3)) + rng.normal(0, 0.03, q.shape)
    return np.clip(rng.uniform(60, 190) + rng.uniform(20, 60) * q, 0, 255).astype(np.uint8)


def make_networks(out, models, count):
    for name, divisor in NETWORKS.items():
        path = os.path.join(models, name + ".onnx")
        sess = session(path)
        info = sess.get_inputs()[0]
        rng = np.random.default_rng([SEED, *name.encode()])
        inputs, expected = [], []
        for _ in range(count):
            x = picture(rng, *info.shape[1:])
            inputs.append(x)
            expected.append(sess.run(None, {info.name: (x.astype(np.float32) / np.float32(divisor))[None]}))
        write(f"{out}/{name}.bin", float(divisor), inputs, expected)
        with open(f"{out}/{name}.path", "w") as f:
            f.write(os.path.abspath(path))
        print(f"{name}: {count} pictures", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["operators", "networks"])
    parser.add_argument("out")
    parser.add_argument("models", nargs="?")
    parser.add_argument("--count", type=int, default=200, help="pictures for each network")
    args = parser.parse_args()
    os.makedirs(args.out, exist_ok=True)
    if args.what == "operators":
        make_operators(args.out)
    else:
        make_networks(args.out, args.models, args.count)
    return 0


if __name__ == "__main__":
    sys.exit(main())
