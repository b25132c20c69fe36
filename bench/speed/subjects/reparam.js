/** Ours, from the package as it is published, in its worker unless told otherwise. */
import { Vae } from "reparam";
import { pixels } from "../nets.js";

const ROWS = 1024;

export async function open(net, { backend, batch, worker = true }) {
  const { side, latent, encoder, decoder } = net;
  const vae = await Vae.create({
    input: { kind: "image", height: side, width: side, channels: 1 },
    ...{ encoder, ...(decoder && { decoder }) },
    latent: { kind: "gaussian", size: latent },
    likelihood: { kind: "bernoulli" },
    backend,
    worker,
  });
  const data = { values: pixels(ROWS, side), shape: [ROWS, side, side, 1] };

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
    decode: async (n) => (await vae.decode(new Float32Array(n * latent).fill(0.5))).values.length,
    about: () => ({ backend: vae.info.backend, adapter: vae.info.adapter, dispatches: vae.info.plan?.dispatches, bytes: vae.info.bytes - data.values.length }),
    close: () => vae.dispose(),
  };
}
