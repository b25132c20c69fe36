"""A training step of PyTorch on the CPU, timed on request.

    python bench/speed/torch_step.py THREADS < requests

The first line is JSON: {"layers": …, "side", "latent", "batch", "pictures"}, as nets.js
describes a net, and a file of bytes; each further line is a number of steps, and the
answer to it, also a line of JSON, the milliseconds a step. Same nets and loss as the others: ReLU, Bernoulli, -ELBO, Adam 1e-3.
"""

import json
import sys
import time

import torch
import torch.nn.functional as F


def parameters(layer):
    kind, n_in, n_out = layer["kind"], layer["in"], layer["out"]
    window = (layer.get("kernel"),) * 2
    shape = {"dense": (n_out, n_in), "conv": (n_out, n_in, *window), "conv_transpose": (n_in, n_out, *window)}[kind]
    return [((torch.rand(shape) - 0.5) / 10).requires_grad_(), torch.zeros(n_out, requires_grad=True)]


def run(layers, params, h, volume=None):
    for i, (layer, (w, b)) in enumerate(zip(layers, params)):
        n = len(h)
        if layer["kind"] == "dense":
            h = F.linear(h.reshape(n, -1), w, b)
        elif layer["kind"] == "conv":
            h = F.conv2d(h.reshape(n, layer["in"], layer["from"], layer["from"]), w, b, layer["stride"], layer["padding"])
        else:
            if h.dim() == 2:
                h = h.reshape(n, volume["channels"], volume["side"], volume["side"])
            stride, padding = layer["stride"], layer["padding"]
            output_padding = layer["to"] - ((layer["from"] - 1) * stride - 2 * padding + layer["kernel"])
            h = F.conv_transpose2d(h, w, b, stride, padding, output_padding)
        if i < len(layers) - 1:
            h = torch.relu(h)
    return h.reshape(len(h), -1)


def main():
    torch.set_num_threads(int(sys.argv[1]))
    net = json.loads(sys.stdin.readline())
    encoder, decoder, volume = net["layers"]["encoder"], net["layers"]["decoder"], net["layers"].get("volume")
    params = [parameters(layer) for layer in encoder + decoder]
    optimiser = torch.optim.Adam([p for pair in params for p in pair], lr=1e-3, fused=True)
    with open(net["pictures"], "rb") as file:
        x = torch.frombuffer(bytearray(file.read(net["batch"] * net["side"] ** 2)), dtype=torch.uint8)
    x = x.reshape(net["batch"], -1) / 255

    def step():
        mean, logvar = run(encoder, params[: len(encoder)], x).chunk(2, -1)
        z = mean + torch.exp(0.5 * logvar) * torch.randn_like(mean)
        logits = run(decoder, params[len(encoder) :], z, volume)
        reconstruction = F.binary_cross_entropy_with_logits(logits, x, reduction="sum")
        kl = 0.5 * (mean.square() + logvar.exp() - logvar - 1).sum()
        loss = (reconstruction + kl) / len(x)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        return loss.item()

    print(json.dumps({"torch": torch.__version__, "threads": torch.get_num_threads()}), flush=True)
    for line in sys.stdin:
        n = int(line)
        start = time.perf_counter()
        for _ in range(n):
            step()
        print(json.dumps((time.perf_counter() - start) * 1e3 / n), flush=True)


if __name__ == "__main__":
    main()
