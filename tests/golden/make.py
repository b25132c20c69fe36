"""Golden values and gradients from PyTorch in float64: ops.json, model.json, threefry.json.

    pip install -r tests/golden/requirements.txt && python tests/golden/make.py

ops.json       a list of cases {op, params, inputs, output, dy, grads}. An array is {shape, values}, row-major; `grads[i]` is
               d sum(dy * output) / d inputs[i], or null where that input is an integer ("dtype": "u32").
model.json     a whole VAE of 110 weights: loss parts, gradients, weights after three steps of three optimisers.
threefry.json  known answers of the generator, and of the batch order built on it.

Inputs and dy are multiples of 1/64, so float32 holds them exactly, and stay away from kinks and ties. Results are rounded to 10
significant digits. Images are NHWC, convolution weights [kh, kw, ci, co]; of a transposed convolution too, with ci the channels
of its input and co of its output. PyTorch has NCHW, [co, ci, kh, kw] and [ci, co, kh, kw]: hence the permutes below.
"""

import json
import math
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch.distributions import Categorical, ContinuousBernoulli, Laplace, Normal, kl_divergence

from threefry import KNOWN_ANSWERS, permutation, threefry2x32

HERE = Path(__file__).parent
torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)  # one order of summation on every machine
rng = np.random.default_rng(20240229)


# Inputs

def grid(shape, low=-2.0, high=2.0, step=64):
    """Odd multiples of 1/step within [low, high]: exact in float32, never zero."""
    k = rng.integers(math.ceil(low * step / 2), math.floor(high * step / 2), size=shape)
    return torch.tensor((2 * k + 1) / step, dtype=torch.float64)


def even(shape, low=-2.0, high=2.0):
    """Even multiples of 1/64: never equal to a value of `grid`."""
    return torch.tensor(rng.integers(math.ceil(low * 32), math.floor(high * 32), size=shape) / 32, dtype=torch.float64)


def distinct(shape):
    """Every value once, so that a maximum is never tied."""
    n = math.prod(shape)
    return torch.tensor((rng.permutation(n) - n / 2) / 16, dtype=torch.float64).reshape(shape)


# Output

def rounded(value):
    value = float(f"{value:.10g}")
    return int(value) if value == int(value) and abs(value) < 1e6 else value


def array(t):
    if t.dtype == torch.int64:
        return {"shape": list(t.shape), "dtype": "u32", "values": t.flatten().tolist()}
    assert torch.isfinite(t).all()
    return {"shape": list(t.shape), "values": [rounded(v) for v in t.detach().flatten().tolist()]}


cases = []


def case(op, forward, *inputs, **params):
    leaves = [t if t.dtype == torch.int64 else t.detach().clone().requires_grad_() for t in inputs]
    output = forward(*leaves)
    dy = grid(output.shape, step=8)
    floats = [t for t in leaves if t.requires_grad]
    found = iter(torch.autograd.grad(output, floats, dy))
    grads = [array(next(found)) if t.requires_grad else None for t in leaves]
    cases.append({"op": op, "params": params, "inputs": [array(t) for t in leaves],
                  "output": array(output), "dy": array(dy), "grads": grads})
    return output


# Elementwise

positive = {"log", "sqrt"}
saturating = {"elu", "silu", "gelu", "sigmoid", "tanh", "softplus", "erf"}
unary = {
    "neg": (torch.neg, {}), "exp": (torch.exp, {}), "log": (torch.log, {}), "sqrt": (torch.sqrt, {}),
    "square": (torch.square, {}), "abs": (torch.abs, {}), "relu": (torch.relu, {}),
    "leaky_relu": (lambda x: F.leaky_relu(x, 0.01), {"slope": 0.01}), "elu": (lambda x: F.elu(x, 1.0), {"alpha": 1.0}),
    "silu": (F.silu, {}), "gelu": (lambda x: F.gelu(x, approximate="none"), {}),  # the erf form
    "sigmoid": (torch.sigmoid, {}), "tanh": (torch.tanh, {}), "softplus": (F.softplus, {}), "erf": (torch.erf, {}),
}
for op, (f, params) in unary.items():
    low, high = (0.125, 4.0) if op in positive else (-3.0, 3.0)
    case(op, f, grid((3, 5), low, high), **params)
    if op in saturating:
        case(op, f, torch.tensor([-40.0, -12.0, -6.0, -0.015625, 0.015625, 6.0, 12.0, 40.0]), **params)

binary = {"add": torch.add, "sub": torch.sub, "mul": torch.mul, "div": torch.div,
          "min": torch.minimum, "max": torch.maximum, "pow": torch.pow}
broadcasts = [((2, 3), (2, 3)), ((2, 2, 3), (3,)), ((3,), (2, 2, 3)), ((2, 3), (2, 1)), ((3, 1), (1, 2)), ((2, 3), ())]
for op, f in binary.items():
    for left, right in broadcasts:
        a = grid(left, 0.25, 3.0) if op == "pow" else grid(left)
        b = grid(right, 0.5, 2.5) if op == "div" else even(right)
        case(op, f, a, b)


# Matrices

def matmul(ta, tb):
    return lambda a, b: (a.mT if ta else a) @ (b.mT if tb else b)


for batch in [(), (2,), (2, 3)]:
    for ta in (False, True):
        for tb in (False, True):
            m, k, n = (3, 5, 4) if batch != (2, 3) else (2, 3, 1)
            a, b = (k, m) if ta else (m, k), (n, k) if tb else (k, n)
            case("matmul", matmul(ta, tb), grid(batch + a, step=8), grid(batch + b, step=8), ta=ta, tb=tb)


# Images: x (batch, height, width, channels)

def nchw(x):
    return x.permute(0, 3, 1, 2)


def nhwc(x):
    return x.permute(0, 2, 3, 1)


def conv2d(stride, padding):
    return lambda x, w: nhwc(F.conv2d(nchw(x), w.permute(3, 2, 0, 1).contiguous(), stride=stride, padding=padding))


def conv_transpose2d(stride, padding, output_padding):
    return lambda x, w: nhwc(F.conv_transpose2d(
        nchw(x), w.permute(2, 3, 0, 1).contiguous(), stride=stride, padding=padding, output_padding=output_padding))


for h, w, ci, co, (kh, kw), stride, padding in [
    (5, 5, 1, 2, (3, 3), 1, 1),
    (4, 6, 2, 3, (3, 3), 1, 1),
    (6, 4, 2, 2, (4, 4), 2, 1),
    (7, 5, 1, 3, (4, 4), 2, 1),  # the last row and column fall outside every window
    (3, 3, 2, 2, (4, 4), 2, 1),  # down to 1 x 1
    (8, 7, 2, 2, (3, 3), 3, 0),
    (7, 8, 1, 2, (2, 2), 3, 1),  # gaps between windows
    (3, 4, 3, 2, (1, 1), 1, 0),
    (4, 5, 2, 1, (3, 2), 1, 1),
    (3, 3, 1, 1, (5, 5), 2, 2),
]:
    case("conv2d", conv2d(stride, padding), grid((2, h, w, ci), step=8), grid((kh, kw, ci, co), step=8),
         stride=stride, padding=padding)

for h, w, ci, co, k, stride, padding, output_padding in [
    (3, 3, 2, 2, 4, 2, 1, 0),
    (3, 4, 2, 3, 3, 2, 1, 1),
    (3, 2, 2, 2, 4, 2, 1, 1),
    (1, 1, 3, 2, 4, 2, 1, 1),
    (4, 5, 1, 2, 3, 1, 1, 0),
    (2, 3, 2, 2, 3, 3, 0, 0),
    (2, 3, 2, 1, 2, 3, 0, 2),  # gaps between windows
    (3, 3, 1, 1, 5, 2, 2, 1),
]:
    case("conv_transpose2d", conv_transpose2d(stride, padding, output_padding),
         grid((2, h, w, ci), step=8), grid((k, k, ci, co), step=8),
         stride=stride, padding=padding, output_padding=output_padding)

for shape in [(1, 2, 3, 1), (2, 3, 2, 2)]:
    case("upsample", lambda x: x.repeat_interleave(2, 1).repeat_interleave(2, 2), grid(shape), factor=2)
upsampled = nhwc(F.interpolate(nchw(torch.arange(12.0).reshape(1, 2, 3, 2)), scale_factor=2, mode="nearest"))
assert torch.equal(upsampled, torch.arange(12.0).reshape(1, 2, 3, 2).repeat_interleave(2, 1).repeat_interleave(2, 2))


# Reductions: the reduced axes are dropped

for op, f in {"reduce_sum": torch.sum, "reduce_mean": torch.mean, "reduce_max": torch.amax}.items():
    for axes in [(0,), (1,), (2,), (0, 2), (1, 2), (0, 1, 2)]:
        case(op, lambda x: f(x, dim=axes), distinct((2, 3, 4)), axes=list(axes))

for shape in [(4,), (3, 5), (2, 2, 3), (2, 1)]:
    case("softmax", lambda x: torch.softmax(x, -1), grid(shape, -4, 4))
    case("logsumexp", lambda x: torch.logsumexp(x, -1), grid(shape, -4, 4))
for op, f in {"softmax": torch.softmax, "logsumexp": torch.logsumexp}.items():
    case(op, lambda x: f(x, -1), torch.tensor([[300.0, 299.5, -300.0], [-500.0, -501.0, -500.25]]))  # exp would overflow


# Moving things

for rows, width, indices in [(5, 3, [4, 0, 4, 2]), (4, 2, [[1, 1], [3, 0], [1, 2]])]:
    case("gather", lambda table, i: table[i], grid((rows, width)), torch.tensor(indices))

for axis, shapes in [(0, [(2, 3), (1, 3)]), (1, [(2, 3), (2, 1), (2, 2)]), (1, [(2, 1, 2), (2, 2, 2)]), (2, [(2, 1, 2), (2, 1, 3)])]:
    case("concat", lambda *xs: torch.cat(xs, axis), *[grid(s) for s in shapes], axis=axis)

for shape, starts, ends in [((5,), [1], [4]), ((4, 5), [0, 2], [4, 5]), ((4, 5), [1, 0], [3, 1]), ((2, 3, 4), [1, 0, 1], [2, 2, 4])]:
    case("slice", lambda x: x[tuple(slice(a, b) for a, b in zip(starts, ends))], grid(shape), starts=starts, ends=ends)

for perm in [(1, 0), (0, 2, 1), (2, 0, 1), (2, 1, 0), (0, 2, 3, 1), (3, 1, 0, 2)]:
    case("transpose", lambda x: x.permute(perm), grid((2, 3, 4, 2)[: len(perm)]), perm=list(perm))


# Probability: nats, summed over the last axis

case("reparameterize", lambda mean, logvar, eps: mean + torch.exp(0.5 * logvar) * eps, grid((3, 4)), grid((3, 4)), grid((3, 4)))

logits, x = grid((3, 5), -6, 6), grid((3, 5), 0, 1)
y = case("bernoulli_log_prob", lambda logits, x: (x * logits - F.softplus(logits)).sum(-1), logits, x)
torch.testing.assert_close(y, -F.binary_cross_entropy_with_logits(logits, x, reduction="none").sum(-1))

for sigma in (1.0, 0.5):
    case("gaussian_log_prob", lambda mean, x: Normal(mean, sigma).log_prob(x).sum(-1), grid((3, 5)), grid((3, 5), 0, 1), sigma=sigma)

case("gaussian_kl", lambda mean, logvar: kl_divergence(Normal(mean, torch.exp(0.5 * logvar)), Normal(0.0, 1.0)).sum(-1),
     grid((3, 4)), grid((3, 4), -4, 2))


# A whole VAE: 6-5-(2*2)-5-6, ReLU, Bernoulli on grey values

SHAPES = {
    "encoder.0.weight": (6, 5), "encoder.0.bias": (5,), "encoder.head.weight": (5, 4), "encoder.head.bias": (4,),
    "decoder.0.weight": (2, 5), "decoder.0.bias": (5,), "decoder.1.weight": (5, 6), "decoder.1.bias": (6,),
}


def loss_parts(p, x, eps, beta):
    """A weight is [in, out]; the head's first half is the mean, its second the log-variance."""
    h = torch.relu(x @ p["encoder.0.weight"] + p["encoder.0.bias"])
    mean, logvar = (h @ p["encoder.head.weight"] + p["encoder.head.bias"]).chunk(2, -1)
    logvar = torch.clamp(logvar, -14.0, 10.0)
    z = mean + torch.exp(0.5 * logvar) * eps
    h = torch.relu(z @ p["decoder.0.weight"] + p["decoder.0.bias"])
    logits = h @ p["decoder.1.weight"] + p["decoder.1.bias"]
    reconstruction = F.binary_cross_entropy_with_logits(logits, x, reduction="none").sum(-1).mean()
    kl = 0.5 * (mean.square() + logvar.exp() - logvar - 1).sum(-1).mean()
    return {"reconstruction": reconstruction, "kl": kl, "loss": reconstruction + beta * kl}


def leaves_of(params):
    return {name: t.clone().requires_grad_() for name, t in params.items()}


def global_norm(leaves):
    return torch.sqrt(sum(t.grad.square().sum() for t in leaves.values()))


def after_three_steps(params, xs, epsilons, beta, optimiser, max_norm=math.inf, **options):
    leaves = leaves_of(params)
    step = optimiser(leaves.values(), lr=1e-3, betas=(0.9, 0.999), eps=1e-8, foreach=False, **options)
    for x, eps in zip(xs, epsilons):
        step.zero_grad()
        loss_parts(leaves, x, eps, beta)["loss"].backward()
        scale = (max_norm / global_norm(leaves)).clamp(max=1.0)
        for t in leaves.values():
            t.grad *= scale
        step.step()
    return {name: array(t) for name, t in leaves.items()}


def scenario(name, params, xs, epsilons, beta):
    leaves = leaves_of(params)
    parts = loss_parts(leaves, xs[0], epsilons[0], beta)
    parts["loss"].backward()
    run = lambda optimiser, **options: after_three_steps(params, xs, epsilons, beta, optimiser, **options)
    return {
        "name": name, "beta": beta, "params": {n: array(t) for n, t in params.items()},
        **{n: rounded(t.item()) for n, t in parts.items()},
        "grads": {n: array(t.grad) for n, t in leaves.items()}, "grad_norm": rounded(global_norm(leaves).item()),
        "adam": run(torch.optim.Adam),
        "adamw": run(torch.optim.AdamW, weight_decay=0.01),
        "adam_clipped": run(torch.optim.Adam, max_norm=0.5),
    }


params = {n: grid(s, -1, 1) for n, s in SHAPES.items()}
xs = torch.tensor(rng.integers(0, 256, (3, 3, 6)) / 255)
epsilons = grid((3, 3, 2), -1.5, 1.5)
clamped = {n: t.clone() for n, t in params.items()}
clamped["encoder.head.bias"][2] = -19.0  # below and above the bounds: no gradient passes
clamped["encoder.head.bias"][3] = 14.0
scenarios = [
    scenario("beta of one", params, xs, epsilons, 1.0),
    scenario("beta of four", params, xs, epsilons, 4.0),
    scenario("logvar outside its bounds", clamped, xs, epsilons, 1.0),
]
assert not any(scenarios[2]["grads"]["encoder.head.bias"]["values"][2:])
model = {
    "about": "loss, its parts and grads are of step 0; step t sees x[t] and eps[t]; loss = reconstruction + beta * kl, in nats: sum over "
             "the event, mean over the batch; adam: lr 1e-3, betas 0.9 and 0.999, eps 1e-8 added after the square root of the corrected "
             "moment; adamw: decay 0.01 times lr, on biases too; adam_clipped: all grads times min(1, 0.5 / grad_norm) first; logvar is clamped to [-14, 10]",
    "x": {"shape": [3, 3, 6], "u8": [round(v * 255) for v in xs.flatten().tolist()]},  # divided by 255
    "eps": array(epsilons),
    "scenarios": scenarios,
}


# The generator

def known(key, counter):
    return {"key": list(key), "counter": list(counter), "output": [int(word) for word in threefry2x32(key, counter)]}


generator = {
    "kat_vectors": [known(key, counter) for key, counter, _ in KNOWN_ANSWERS],  # asserted on import
    "more": [known((0x9E3779B9 * i % 2**32, i), (i, 0xFFFFFFFF - i)) for i in range(1, 9)],
    "order": [{"seed": list((seed & 0xFFFFFFFF, seed >> 32)), "epoch": epoch, "permutation": permutation(seed, epoch, n).tolist()}
              for seed, epoch, n in [(0, 0, 10), (0, 1, 10), (7, 0, 33), (0x123456789ABCDEF0, 3, 70), (1, 0, 1)]],
}


# Likelihoods: decoder outputs and x (levels and classes by their number), nats, summed over the last axis. They have a generator of
# their own, so that what stands above is what it was before them.

rng = np.random.default_rng(20260101)


def likelihood(options, log_prob, decoded, x, **params):
    case("likelihood", log_prob, decoded, x, options=options, **params)


def numbers(n, shape):
    """Some of 0 ... n - 1, both ends among them."""
    k = rng.integers(0, n, size=shape)
    k.flat[:2] = 0, n - 1
    return torch.tensor(k)


likelihood({"kind": "continuous_bernoulli"}, lambda l, x: ContinuousBernoulli(logits=l).log_prob(x).sum(-1),
           grid((4, 5), -6, 6), grid((4, 5), 0, 1))
likelihood({"kind": "laplace", "b": 0.5}, lambda mean, x: Laplace(mean, 0.5).log_prob(x).sum(-1), grid((3, 5)), even((3, 5)))


def per_value(decoded, x):
    mean, logvar = decoded.chunk(2, -1)
    return Normal(mean, torch.exp(0.5 * logvar)).log_prob(x).sum(-1)


likelihood({"kind": "gaussian", "scale": "per_value"}, per_value, grid((2, 3, 2, 4)), grid((2, 3, 2, 2), 0, 1))


def classes(n):
    return lambda l, k: Categorical(logits=l.reshape(*k.shape, n)).log_prob(k).sum(-1)


likelihood({"kind": "categorical", "classes": 4}, classes(4), grid((3, 2, 2, 8), -4, 4), numbers(4, (3, 2, 2, 2)), last=3)


def log_mass(x, mean, log_scale):
    """Salimans et al. 2017, as in PixelCNN++'s `discretized_mix_logistic_loss`; x in -1 ... 1."""
    inv = torch.exp(-log_scale.clamp(min=-7.0))
    plus, minus = inv * (x - mean + 1 / 255), inv * (x - mean - 1 / 255)
    inside = torch.log(torch.sigmoid(plus) - torch.sigmoid(minus))
    return torch.where(x < -0.999, plus - F.softplus(plus), torch.where(x > 0.999, -F.softplus(minus), inside))


def logistic(decoded, k):
    mean, log_scale = decoded.chunk(2, -1)
    return log_mass(k / 255 * 2 - 1, mean, log_scale).sum(-1)


likelihood({"kind": "logistic"}, logistic, grid((4, 10), -1.5, 1.5), numbers(256, (4, 5)), last=255)


def mixture(n, channels):
    """Logits, means, log scales, coefficients: n a channel, or a pair of channels."""
    def log_prob(decoded, k):
        x = k / 255 * 2 - 1
        parts = decoded.split(n, -1)
        logits, means, log_scales, coefficients = parts[0], parts[1:1 + channels], parts[1 + channels:1 + 2 * channels], list(parts[1 + 2 * channels:])
        joint = torch.log_softmax(logits, -1)
        for j in range(channels):
            mean = means[j]
            for i in range(j):
                mean = mean + torch.tanh(coefficients.pop(0)) * x[..., i:i + 1]
            joint = joint + log_mass(x[..., j:j + 1], mean, log_scales[j])
        return torch.logsumexp(joint, -1).sum(-1)
    return log_prob


likelihood({"kind": "logistic_mixture", "components": 2}, mixture(2, 1), grid((3, 2, 2, 6), -1.5, 1.5), numbers(256, (3, 2, 2, 1)), last=255)
likelihood({"kind": "logistic_mixture", "components": 3}, mixture(3, 3), grid((2, 2, 2, 30), -1, 1), numbers(256, (2, 2, 2, 3)), last=255)


def write(name, text):
    (HERE / name).write_text(text)
    print(f"{name}: {len(text) / 1000:.0f} kB")


def lines(items):
    return "[\n" + ",\n".join(json.dumps(i, separators=(",", ":")) for i in items) + "\n]"


write("ops.json", lines(cases) + "\n")
write("model.json", "{\n" + ",\n".join(
    f'"{k}": {lines(v) if isinstance(v, list) else json.dumps(v, separators=(",", ":"))}' for k, v in model.items()) + "\n}\n")
write("threefry.json", "{\n" + ",\n".join(f'"{k}": {lines(v)}' for k, v in generator.items()) + "\n}\n")
print(f"{len(cases)} cases of {len({c['op'] for c in cases})} ops")
