"""Darknet's layers as ONNX nodes, their weights taken in Darknet's order.

Followed is pjreddie/darknet (src/parser.c and each layer's file), with what AlexeyAB's fork adds where it is
plain: `groups` of a route, `dilation`, the activations mish and swish, `scale_x_y`. A layer's shape is its
channels, height, width; vectors are (length, 1, 1).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from okulo.export.darknet.cfg import Section
from okulo.export.darknet.weights import Weights
from okulo.export.picture_graph import Builder

EPSILON = 1e-6
"""Darknet divides by √variance + this, where others put it under the root."""
Shape = tuple[int, int, int]


@dataclass(frozen=True)
class Layer:
    """What a layer gives: the tensor's name, and its channels, height and width."""

    name: str
    shape: Shape

    @property
    def length(self) -> int:
        """Numbers of one picture."""
        return int(np.prod(self.shape))


@dataclass(frozen=True)
class Head:
    """What a layer that detects gives: boxes [n, m, 4] as shares of `pixels`, scores [n, m, k]."""

    boxes: str
    scores: str
    classes: int


@dataclass
class Net:
    """A network while it is built."""

    do: Builder
    weights: Weights
    size: tuple[int, int]
    """Height and width of `pixels`."""
    layers: list[Layer] = field(default_factory=list)
    heads: list[Head] = field(default_factory=list)
    kinds: list[str] = field(default_factory=list)

    def layer(self, section: Section, place: int) -> Layer:
        """Give a layer by its number, or, below 0, counted back from here."""
        index = place + len(self.layers) if place < 0 else place
        if not 0 <= index < len(self.layers):
            raise section.refuse(f"there is no layer {place} before it")
        return self.layers[index]


def activate(net: Net, section: Section, x: str, default: str = "logistic") -> str:
    """Apply a layer's activation."""
    do, kind = net.do, section.word("activation", default)
    if kind == "linear":
        return x
    if kind == "leaky":
        return do("LeakyRelu", x, alpha=0.1)
    if kind == "mish":
        return do("Mul", x, do("Tanh", do("Softplus", x)))
    if kind == "swish":
        return do("Mul", x, do("Sigmoid", x))
    plain = {"relu": "Relu", "logistic": "Sigmoid", "tanh": "Tanh", "elu": "Elu"}
    if kind not in plain:
        known = "linear, leaky, mish, swish, " + ", ".join(plain)
        raise section.refuse(f"activation: expected one of {known}, got {kind!r}")
    return do(plain[kind], x)


def folded(
    net: Net, section: Section, kernel: np.ndarray, norm: tuple[np.ndarray, ...] | None, bias: np.ndarray
) -> tuple[str, str]:
    """Fold a batch norm into the weights before it: names of both constants."""
    if norm is not None:
        scale, mean, variance = (each.astype(np.float64) for each in norm)
        factor = scale / (np.sqrt(variance) + EPSILON)
        bias = bias - mean * factor
        kernel = kernel * factor.reshape(-1, *[1] * (kernel.ndim - 1))
    return net.do.constant(kernel.astype(np.float32)), net.do.constant(bias.astype(np.float32))


def _positive(section: Section, name: str, default: int) -> int:
    value = section.whole(name, default)
    if not 1 <= value <= 1 << 24:
        raise section.refuse(f"{name}: expected a whole number ≥ 1, got {value}")
    return value


def convolutional(net: Net, section: Section, before: Layer) -> Layer:
    """Convolution, with or without batch norm. Weights: biases, (scales, means, variances), kernels."""
    for name in ("binary", "xnor"):
        if section.whole(name, 0):
            raise section.refuse(f"{name} weights are not read")
    filters, size = _positive(section, "filters", 1), _positive(section, "size", 1)
    stride, groups = _positive(section, "stride", 1), _positive(section, "groups", 1)
    dilation = _positive(section, "dilation", 1)
    padding = section.whole("padding", 0)
    if section.whole("pad", 0):
        padding = size // 2 * dilation
    channels, height, width = before.shape
    if channels % groups or filters % groups:
        raise section.refuse(f"groups: {groups} divide neither {channels} channels nor {filters} filters")
    what = f"layer {len(net.layers)} (convolutional, {channels} → {filters})"
    bias = net.weights.take(filters, f"biases of {what}")
    norm = net.weights.take_norm(filters, what) if section.whole("batch_normalize", 0) else None
    count = filters * channels // groups * size * size
    kernel = net.weights.take(count, f"kernels of {what}").reshape(filters, channels // groups, size, size)
    names = folded(net, section, kernel, norm, bias)
    made = net.do(
        "Conv", before.name, *names, kernel_shape=[size, size], strides=[stride, stride],
        pads=[padding] * 4, dilations=[dilation, dilation], group=groups,
    )  # fmt: skip
    reach = dilation * (size - 1) + 1
    high, wide = ((side + 2 * padding - reach) // stride + 1 for side in (height, width))
    if high < 1 or wide < 1:
        raise section.refuse(f"nothing is left of {height} × {width}")
    return Layer(activate(net, section, made), (filters, high, wide))


def connected(net: Net, section: Section, before: Layer) -> Layer:
    """Fully connected. Weights: biases, matrix (outputs × inputs), (scales, means, variances)."""
    outputs = _positive(section, "output", 1)
    what = f"layer {len(net.layers)} (connected, {before.length} → {outputs})"
    bias = net.weights.take(outputs, f"biases of {what}")
    matrix = net.weights.take(outputs * before.length, f"matrix of {what}").reshape(outputs, before.length)
    norm = net.weights.take_norm(outputs, what) if section.whole("batch_normalize", 0) else None
    names = folded(net, section, matrix, norm, bias)
    made = net.do("Gemm", net.do("Flatten", before.name), *names, transB=1)
    made = activate(net, section, made)
    return Layer(net.do("Reshape", made, [-1, outputs, 1, 1]), (outputs, 1, 1))


def local(net: Net, section: Section, before: Layer) -> Layer:
    """Convolution whose kernels differ from place to place. Weights: biases, kernels place by place."""
    filters, size = _positive(section, "filters", 1), _positive(section, "size", 1)
    stride = _positive(section, "stride", 1)
    padding = size // 2 if section.whole("pad", 0) else 0
    channels, height, width = before.shape
    high, wide = ((side + 2 * padding - size) // stride + 1 for side in (height, width))
    places, inside = high * wide, channels * size * size
    what = f"layer {len(net.layers)} (local, {channels} → {filters})"
    bias = net.weights.take(filters * places, f"biases of {what}").reshape(filters, places)
    kernels = net.weights.take(places * filters * inside, f"kernels of {what}")
    do = net.do
    padded = do("Pad", before.name, [0, 0, padding, padding, 0, 0, padding, padding])
    moved = []
    for y in range(size):
        for x in range(size):
            ends = [y + (high - 1) * stride + 1, x + (wide - 1) * stride + 1]
            part = do("Slice", padded, [y, x], ends, [2, 3], [stride, stride])
            moved.append(do("Reshape", part, [0, channels, 1, places]))
    columns = do("Reshape", do("Concat", *moved, axis=2), [0, inside, places])
    by_place = do("Transpose", columns, perm=[2, 1, 0])
    product = do("MatMul", do.constant(kernels.reshape(places, filters, inside)), by_place)
    made = do("Add", do("Transpose", product, perm=[2, 1, 0]), do.constant(bias))
    made = activate(net, section, do("Reshape", made, [-1, filters, high, wide]))
    return Layer(made, (filters, high, wide))


def maxpool(net: Net, section: Section, before: Layer) -> Layer:
    """Largest value of a window; padded by size - 1 in all, more at the end, if nothing else is said."""
    stride = _positive(section, "stride", 1)
    size = _positive(section, "size", stride)
    padding = section.whole("padding", size - 1)
    channels, height, width = before.shape
    high, wide = ((side + padding - size) // stride + 1 for side in (height, width))
    start = padding // 2
    pads = [start, start, padding - start, padding - start]
    made = net.do("MaxPool", before.name, kernel_shape=[size, size], strides=[stride, stride], pads=pads)
    return Layer(made, (channels, high, wide))


def avgpool(net: Net, section: Section, before: Layer) -> Layer:
    """Mean of the whole picture."""
    del section
    return Layer(net.do("GlobalAveragePool", before.name), (before.shape[0], 1, 1))


def upsample(net: Net, section: Section, before: Layer) -> Layer:
    """Repeat every pixel."""
    stride, (channels, height, width) = _positive(section, "stride", 2), before.shape
    scales = np.array([1, 1, stride, stride], np.float32)
    made = net.do(
        "Resize", before.name, "", net.do.constant(scales), mode="nearest",
        coordinate_transformation_mode="asymmetric", nearest_mode="floor",
    )  # fmt: skip
    if (scale := section.number("scale", 1)) != 1:
        made = net.do("Mul", made, float(scale))
    return Layer(made, (channels, height * stride, width * stride))


def route(net: Net, section: Section, before: Layer) -> Layer:
    """Layers behind one another, or a group of their channels."""
    del before
    places = [int(each) for each in section.numbers("layers")]
    if not places:
        raise section.refuse("layers: expected the numbers of layers, got none")
    parts = [net.layer(section, place) for place in places]
    if len({part.shape[1:] for part in parts}) > 1:
        raise section.refuse(f"its layers differ in size: {[part.shape[1:] for part in parts]}")
    groups, group = _positive(section, "groups", 1), section.whole("group_id", 0)
    names, channels = [], 0
    for part in parts:
        share = part.shape[0] // groups
        if part.shape[0] % groups or not 0 <= group < groups:
            raise section.refuse(f"group {group} of {groups} is none of {part.shape[0]} channels")
        some = [group * share, (group + 1) * share]
        names.append(part.name if groups == 1 else net.do("Slice", part.name, some[:1], some[1:], [1]))
        channels += share
    made = names[0] if len(names) == 1 else net.do("Concat", *names, axis=1)
    return Layer(made, (channels, *parts[0].shape[1:]))


def shortcut(net: Net, section: Section, before: Layer) -> Layer:
    """Add an earlier layer: every nth pixel of a larger one, the first channels of a deeper one."""
    other = net.layer(section, section.whole("from", -1))
    (channels, height, width), (more, high, wide) = before.shape, other.shape
    step = max(1, wide // width)
    if (high // step, wide // step) != (height, width) or high % step or wide % step:
        raise section.refuse(f"{high} × {wide} cannot be added to {height} × {width}")
    added = other.name
    if step > 1:
        added = net.do("Slice", added, [0, 0], [high, wide], [2, 3], [step, step])
    if more > channels:
        added = net.do("Slice", added, [0], [channels], [1])
    elif more < channels:
        added = net.do("Pad", added, [0, 0, 0, 0, 0, channels - more, 0, 0])
    return Layer(activate(net, section, net.do("Add", before.name, added), "linear"), before.shape)


def reorg(net: Net, section: Section, before: Layer) -> Layer:
    """Turn blocks of pixels into channels, in Darknet's own order.

    Its numbers are first read as a picture of fewer, larger channels (blas.c, reorg_cpu), which is not
    what pixel-unshuffling does.
    """
    stride, (channels, height, width) = _positive(section, "stride", 1), before.shape
    for name in ("reverse", "flatten", "extra"):
        if section.whole(name, 0):
            raise section.refuse(f"{name} is not read")
    blocks = stride * stride
    if channels % blocks or height % stride or width % stride:
        raise section.refuse(f"stride {stride} does not divide {channels} × {height} × {width}")
    do = net.do
    large = do("Reshape", before.name, [-1, channels // blocks, height, stride, width, stride])
    turned = do("Transpose", large, perm=[0, 3, 5, 1, 2, 4])
    shape = (channels * blocks, height // stride, width // stride)
    return Layer(do("Reshape", turned, [-1, *shape]), shape)


def softmax(net: Net, section: Section, before: Layer) -> Layer:
    """Probabilities of classes."""
    if "tree" in section.options:
        raise section.refuse("trees of classes are not read")
    if section.whole("groups", 1) != 1:
        raise section.refuse("softmax of groups is not read")
    warmth = float(section.number("temperature", 1))
    flat = net.do("Flatten", before.name)
    made = net.do("Softmax", flat if warmth == 1 else net.do("Div", flat, warmth), axis=1)
    return Layer(net.do("Reshape", made, [-1, before.length, 1, 1]), (before.length, 1, 1))


def same(net: Net, section: Section, before: Layer) -> Layer:
    """Pass on what came: dropout and cost do nothing when a network is used."""
    del net, section
    return before


LAYERS: Mapping[str, Callable[[Net, Section, Layer], Layer]] = {
    "convolutional": convolutional, "conv": convolutional, "connected": connected, "conn": connected,
    "local": local, "maxpool": maxpool, "max": maxpool, "avgpool": avgpool, "avg": avgpool,
    "upsample": upsample, "route": route, "shortcut": shortcut, "reorg": reorg, "softmax": softmax,
    "soft": softmax, "dropout": same, "cost": same,
}  # fmt: skip
