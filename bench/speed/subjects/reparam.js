/** Ours, from the package as it is published, in its worker unless told otherwise. */
import { Vae } from "reparam";
import { matrix } from "../hand/matrices.js";
import { ROWS, pictures } from "../nets.js";

export async function open(net, { backend, batch, cores = 1, worker = true }) {
  const { side, latent, encoder, decoder } = net;
  const values = pictures(ROWS, side);
  const vae = await Vae.create({
    input: { kind: "image", height: side, width: side, channels: 1 },
    ...{ encoder, ...(decoder && { decoder }) },
    latent: { kind: "gaussian", size: latent },
    likelihood: { kind: "bernoulli" },
    backend,
    cores,
    worker,
  });
  const data = { values: await values, shape: [ROWS, side, side, 1] };

  /** Milliseconds a step over `n` steps; what comes before the first figures arrive, the building of the plan, is not counted. */
  async function steps(n) {
    let [from, to] = [];
    for await (const event of vae.train(data, { steps: n + 1, batchSize: batch, learningRate: 1e-3, logEvery: 1 })) {
      if (event.kind !== "step") continue;
      to = { ms: performance.now(), step: event.step };
      from ??= to;
    }
    return (to.ms - from.ms) / (to.step - from.step);
  }

  return {
    steps,
    async first() {
      for await (const event of vae.train(data, { steps: 1, batchSize: batch, learningRate: 1e-3, logEvery: 1 })) if (event.kind === "step") return event.loss;
    },
    /**
     * Trains on for `total` steps. `sample` is called after every tenth of them; each hundredth gives its ms a step, and what is held: bytes that
     * the model tells of, live bytes of GPU buffers and the bytes of wasm memories on this thread.
     */
    async endure(total) {
      const [every, marks, samples] = [total / 100, [], []];
      let from;
      for await (const { kind, step } of vae.train(data, { steps: total, batchSize: batch, learningRate: 1e-3, logEvery: every })) {
        if (kind !== "step" || step % every) continue;
        const now = performance.now();
        if (from) marks.push({ step, ms: (now - from) / every });
        from = now;
        if (step % (total / 10)) continue;
        samples.push({ step, model: vae.info.bytes, gpu: window.counters?.bytes, wasm: window.wasmBytes(), heap: await window.heapBytes() });
        from = undefined; // the training went on meanwhile
      }
      return { marks, samples };
    },
    decode: async (n) => (await vae.decode(new Float32Array(n * latent).fill(0.5))).values.length,
    about: () => ({ backend: vae.info.backend, adapter: vae.info.adapter, dispatches: vae.info.plan?.dispatches, bytes: vae.info.bytes - data.values.length }),
    close: () => vae.dispose(),
  };
}

/**
 * A product of (n, depth) and (depth, n), as the package lets one be had: decoding n latents of that size by one dense layer, in blocks of 256
 * rows, with its bias, and read back; of (n, depth) and (depth, width) where they are told.
 */
export async function product(n, { backend, depth = n, width = n }) {
  const vae = await Vae.create({
    input: { kind: "vector", size: width },
    encoder: { kind: "mlp", hidden: [1] },
    decoder: { kind: "mlp", hidden: [] },
    latent: { kind: "gaussian", size: depth },
    likelihood: { kind: "gaussian" },
    backend,
    worker: false,
  });
  const z = matrix(n, 1).subarray(0, n * depth);
  return {
    first: async () => (await vae.decode(z)).values.length,
    async steps(times) {
      const start = performance.now();
      for (let i = 0; i < times; i++) await vae.decode(z);
      return (performance.now() - start) / times;
    },
    about: () => ({ backend: vae.info.backend, adapter: vae.info.adapter }),
  };
}
