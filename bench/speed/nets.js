/** The nets that are timed, described once for every library: ReLU, Bernoulli on grey values, −ELBO, Adam 1e-3. Pure data, for Node and for pages. */

/** `encoder` and `decoder` are our own options; a decoder left out mirrors the encoder. */
export const NETS = {
  mlp: { title: "MLP 784-400-20", side: 28, batch: 128, latent: 20, encoder: { kind: "mlp", hidden: [400] } },
  dsprites: {
    title: "dSprites β-VAE 64×64",
    side: 64,
    batch: 64,
    latent: 10,
    encoder: { kind: "conv", channels: [32, 32, 64, 64], kernel: 4, stride: 2, padding: 1, hidden: [256], activation: "relu" },
  },
  keras: {
    title: "Keras 28×28",
    side: 28,
    batch: 128,
    latent: 2,
    encoder: { kind: "conv", channels: [32, 64], kernel: 3, stride: 2, padding: 1, hidden: [16], activation: "relu" },
    decoder: { kind: "conv", channels: [32, 64, 64], kernel: 3, stride: [1, 2, 2], padding: 1, activation: "relu" },
  },
};

/**
 * What the other libraries build, in order: dense layers { in, out }, (transposed) convolutions { in, out, kernel, stride, padding, from, to }
 * from images of side `from` to side `to`; `volume`, where a decoder has one, is the (side, channels) its dense layers end in.
 */
export function layers({ side, latent, encoder, decoder = encoder }) {
  const [down, up] = [windows(encoder, side), windows(decoder, side)];
  const volume = up.length ? { side: up.at(-1).to, channels: up.at(-1).out } : undefined;
  const flat = down.length ? down.at(-1).to ** 2 * down.at(-1).out : side ** 2;
  return {
    encoder: [...down, ...dense([flat, ...(encoder.hidden ?? [])]), ...dense([encoder.hidden?.at(-1) ?? flat, 2 * latent])],
    decoder: [
      ...dense([latent, ...(decoder.hidden ?? []).toReversed(), volume ? volume.side ** 2 * volume.channels : side ** 2]),
      ...up.toReversed().map((l) => ({ ...l, kind: "conv_transpose", in: l.out, out: l.in, from: l.to, to: l.from })),
    ],
    volume,
  };
}

const dense = (sizes) => sizes.slice(1).map((out, i) => ({ kind: "dense", in: sizes[i], out }));

function windows({ channels = [], kernel, stride, padding }, side) {
  let [from, of] = [side, 1];
  return channels.map((out, i) => {
    const s = [stride].flat()[i] ?? stride;
    const layer = { kind: "conv", in: of, out, kernel, stride: s, padding, from, to: Math.floor((from + 2 * padding - kernel) / s) + 1 };
    [from, of] = [layer.to, out];
    return layer;
  });
}

/** Products of a training step, each addition and multiplication counted: forward, and backward to weights and to inputs except the data. */
export function flops(net) {
  const { encoder, decoder } = layers(net);
  const count = (l) => 2 * l.in * l.out * (l.kind === "dense" ? 1 : l.kernel ** 2 * Math.min(l.from, l.to) ** 2);
  const all = [...encoder, ...decoder].reduce((sum, l) => sum + count(l), 0);
  return net.batch * (3 * all - count(encoder[0]));
}

/** The least that a step moves: every parameter and its two moments, read and written, and the batch's pixels. */
export function bytes(net) {
  const { encoder, decoder } = layers(net);
  const parameters = [...encoder, ...decoder].reduce((sum, l) => sum + l.in * l.out * (l.kind === "dense" ? 1 : l.kernel ** 2) + l.out, 0);
  return 24 * parameters + net.batch * net.side ** 2;
}

/** The product of two (n, n) matrices: its operations, and the least that it moves. */
export const productFlops = (n) => 2 * n ** 3;
export const productBytes = (n) => 12 * n ** 2;

/** How many pictures there are to train on. */
export const ROWS = 1024;
/** Where those of a side are served. */
export const picturesFile = (side) => `pictures/${side}.bin`;

/** The first `n` of them: (n · side²) bytes. */
export async function pictures(n, side) {
  const response = await fetch(`/${picturesFile(side)}`);
  if (!response.ok) throw new Error(`${response.url}: ${response.status}`);
  return new Uint8Array(await response.arrayBuffer(), 0, n * side ** 2);
}
