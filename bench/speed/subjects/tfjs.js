/** TensorFlow.js: the net and its step, on whichever backend is set. */
import * as tf from "@tensorflow/tfjs-core";
import "@tensorflow/tfjs-core/dist/register_all_gradients.js";
import { matrix } from "../hand/matrices.js";
import { layers, pictures } from "../nets.js";

async function start(backend) {
  if (!(await tf.setBackend(backend))) throw new Error(`tfjs: no backend ${backend}`);
  await tf.ready();
}

export async function open(net, { backend, batch }) {
  await start(backend);

  const { encoder, decoder, volume } = layers(net);
  const variable = (l) => {
    const shape = { dense: [l.in, l.out], conv: [l.kernel, l.kernel, l.in, l.out], conv_transpose: [l.kernel, l.kernel, l.out, l.in] }[l.kind];
    return { w: tf.variable(tf.randomUniform(shape, -0.05, 0.05)), b: tf.variable(tf.zeros([l.out])) };
  };
  const params = new Map([...encoder, ...decoder].map((l) => [l, variable(l)]));
  const optimizer = tf.train.adam(1e-3);
  const x = tf.tensor(Float32Array.from(await pictures(batch, net.side), (byte) => byte / 255), [batch, net.side ** 2]);

  function run(list, h) {
    for (const [i, l] of list.entries()) {
      const { w, b } = params.get(l);
      const activation = i === list.length - 1 ? "linear" : "relu";
      if (l.kind === "dense") h = tf.fused.matMul({ a: tf.reshape(h, [h.shape[0], -1]), b: w, bias: b, activation });
      if (l.kind === "conv") h = tf.fused.conv2d({ x: tf.reshape(h, [h.shape[0], l.from, l.from, l.in]), filter: w, strides: l.stride, pad: "same", bias: b, activation });
      if (l.kind === "conv_transpose") {
        const image = h.rank === 4 ? h : tf.reshape(h, [h.shape[0], volume.side, volume.side, volume.channels]);
        h = tf.add(tf.conv2dTranspose(image, w, [h.shape[0], l.to, l.to, l.out], l.stride, "same"), b);
        if (activation === "relu") h = tf.relu(h);
      }
    }
    return tf.reshape(h, [h.shape[0], -1]);
  }

  function loss() {
    const [mean, logvar] = tf.split(run(encoder, x), 2, 1);
    const z = tf.add(mean, tf.mul(tf.exp(tf.mul(logvar, 0.5)), tf.randomNormal(mean.shape)));
    const logits = run(decoder, z);
    const reconstruction = tf.sum(tf.sub(tf.softplus(logits), tf.mul(x, logits)));
    const kl = tf.mul(tf.sum(tf.sub(tf.add(tf.square(mean), tf.exp(logvar)), tf.add(logvar, 1))), 0.5);
    return tf.div(tf.add(reconstruction, kl), batch);
  }

  const variables = [...params.values()].flatMap(({ w, b }) => [w, b]);
  const step = () => optimizer.minimize(loss, true, variables);

  return {
    async first() {
      const value = step();
      return (await value.data())[0];
    },
    /** The loss is read once, at the end. */
    async steps(n) {
      const start = performance.now();
      for (let i = 1; i < n; i++) step().dispose();
      await step().data();
      return (performance.now() - start) / n;
    },
    async decode(n) {
      const images = tf.tidy(() => tf.sigmoid(run(decoder, tf.fill([n, net.latent], 0.5))));
      const { length } = await images.data();
      images.dispose();
      return length;
    },
    about: () => ({ backend: tf.getBackend() }),
    close() {},
  };
}

/** The product of two (n, n) matrices, read back. */
export async function product(n, { backend }) {
  await start(backend);
  const [a, b] = [1, 2].map((seed) => tf.tensor(matrix(n, seed), [n, n]));
  const multiply = async () => {
    const c = tf.matMul(a, b);
    await c.data();
    c.dispose();
  };
  return {
    first: multiply,
    async steps(times) {
      const start = performance.now();
      for (let i = 0; i < times; i++) await multiply();
      return (performance.now() - start) / times;
    },
    about: () => ({ backend: tf.getBackend() }),
  };
}
