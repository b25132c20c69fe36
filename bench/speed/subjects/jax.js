/** jax-js: the whole step, Adam and noise included, in one `jit`. Channels first, as its convolution wants. */
import { blockUntilReady, defaultDevice, init, jit, lax, nn, numpy as np, random, tree, valueAndGrad } from "@jax-js/jax";
import { matrix } from "../hand/matrices.js";
import { layers, pictures } from "../nets.js";

const [BETA1, BETA2, EPSILON, RATE] = [0.9, 0.999, 1e-8, 1e-3];

async function start(backend) {
  const devices = await init(backend);
  if (!devices.includes(backend)) throw new Error(`jax-js: no device ${backend}`);
  defaultDevice(backend);
}

export async function open(net, { backend, batch }) {
  await start(backend);
  const { encoder, decoder, volume } = layers(net);
  const all = [...encoder, ...decoder];
  const shapes = all.map((l) => (l.kind === "dense" ? [l.in, l.out] : [l.out, l.in, l.kernel, l.kernel]));
  const draw = (shape, i) => random.uniform(random.key(i), shape, { minval: -0.05, maxval: 0.05 });
  const zeros = () => all.map((l, i) => ({ w: np.zeros(shapes[i]), b: np.zeros([l.out]) }));
  let params = all.map((l, i) => ({ w: draw(shapes[i], i), b: np.zeros([l.out]) }));
  let [m, v] = [zeros(), zeros()];
  let t = 0;
  const x = np.array(Float32Array.from(await pictures(batch, net.side), (byte) => byte / 255)).reshape([batch, net.side ** 2]);

  /** Takes h and the weights, of which `own` are this list's. */
  function run(list, own, h) {
    for (const [i, l] of list.entries()) {
      const { w, b } = own[i];
      const n = h.shape[0];
      if (l.kind === "dense") h = np.matmul(h.reshape([n, -1]), w).add(b);
      else {
        const transposed = l.kind === "conv_transpose";
        const image = h.shape.length === 4 ? h : h.reshape(transposed ? [n, volume.channels, volume.side, volume.side] : [n, l.in, l.from, l.from]);
        const low = l.kernel - 1 - l.padding;
        const high = l.to + l.kernel - 1 - ((l.from - 1) * l.stride + 1) - low;
        const pad = transposed ? [low, high] : [l.padding, l.padding];
        const dilation = transposed ? { lhsDilation: [l.stride, l.stride] } : {};
        h = lax.convGeneralDilated(image, w, transposed ? [1, 1] : [l.stride, l.stride], [pad, pad], dilation).add(b.reshape([1, l.out, 1, 1]));
      }
      if (i < list.length - 1) h = nn.relu(h);
    }
    return h.reshape([h.shape[0], -1]);
  }

  function loss(params, x, key) {
    const [mean, logvar] = np.split(run(encoder, params.slice(0, encoder.length), x.ref), 2, 1);
    const z = mean.ref.add(np.exp(logvar.ref.mul(0.5)).mul(random.normal(key, [batch, net.latent])));
    const logits = run(decoder, params.slice(encoder.length), z);
    const reconstruction = nn.softplus(logits.ref).sub(x.mul(logits)).sum();
    const kl = np.square(mean).add(np.exp(logvar.ref)).sub(logvar).sub(1).sum().mul(0.5);
    return reconstruction.add(kl).div(batch);
  }

  /** One step of Adam; c1, c2 are the bias corrections. */
  const update = jit((params, m, v, x, key, c1, c2) => {
    const [value, gradient] = valueAndGrad(loss)(tree.ref(params), x, key);
    const m_next = tree.map((m, g) => m.mul(BETA1).add(g.ref.mul(1 - BETA1)), m, tree.ref(gradient));
    const v_next = tree.map((v, g) => v.mul(BETA2).add(np.square(g).mul(1 - BETA2)), v, gradient);
    const next = tree.map(
      (p, m, v) => p.sub(m.div(c1.ref).div(np.sqrt(v.div(c2.ref)).add(EPSILON)).mul(RATE)),
      params,
      tree.ref(m_next),
      tree.ref(v_next),
    );
    c1.dispose();
    c2.dispose();
    return [value, next, m_next, v_next];
  });
  const generate = jit((params, z) => nn.sigmoid(run(decoder, params, z)));

  function step() {
    t += 1;
    const correction = (beta) => np.array([1 - beta ** t]);
    const [value, ...state] = update(params, m, v, x.ref, random.key(t), correction(BETA1), correction(BETA2));
    [params, m, v] = state;
    return value;
  }

  return {
    first: async () => (await step().data())[0],
    /** Waits for every step, as its documentation advises. */
    async steps(n) {
      const start = performance.now();
      for (let i = 0; i < n; i++) {
        const value = step();
        await blockUntilReady(value);
        value.dispose();
      }
      return (performance.now() - start) / n;
    },
    async decode(n) {
      const images = generate(tree.ref(params.slice(encoder.length)), np.full([n, net.latent], 0.5));
      return (await images.data()).length;
    },
    about: () => ({ backend: defaultDevice() }),
    close() {},
  };
}

/** The product of two (n, n) matrices, waited for and not read back. */
export async function product(n, { backend }) {
  await start(backend);
  const [a, b] = [1, 2].map((seed) => np.array(matrix(n, seed)).reshape([n, n]));
  const multiply = jit((a, b) => np.matmul(a, b));
  return {
    first: async () => (await multiply(a.ref, b.ref).data()).length,
    async steps(times) {
      const start = performance.now();
      for (let i = 0; i < times; i++) {
        const c = multiply(a.ref, b.ref);
        await blockUntilReady(c);
        c.dispose();
      }
      return (performance.now() - start) / times;
    },
    about: () => ({ backend: defaultDevice() }),
  };
}
