/**
 * Codes and a prior learnt over them (van den Oord et al. 2017): whether the codebook is in use with restarts and without, what a picture comes
 * back as beside a Gaussian VAE that has no fewer parameters, and what samples of the learnt prior are worth beside uniform codes and beside the
 * Gaussian's N(0, I). Distances are Fréchet's between features of a classifier, to the test pictures. Then what sampling takes.
 */
import { bar } from "../results.mjs";

const NET = { encoder: { kind: "conv", channels: [32, 64] }, likelihood: { kind: "gaussian", scale: "optimal" } };
const CODES = 256;
const LATENT = { kind: "vq", codes: CODES, size: 16 };
const GAUSSIAN = { kind: "gaussian", size: 16 };
const PRIOR = { kind: "gated", channels: 32, layers: 5 };
const N = 5000;
/** Seconds for 64 samples of a grid of 7×7. */
const MOST_SECONDS = 2;

const seconds = async (body) => {
  const start = performance.now();
  await body();
  return (performance.now() - start) / 1000;
};

/** Draws 64 samples of a prior of one step over a grid of side × side codes: what they take says nothing of what was learnt. */
async function sampling(Vae, side, prior) {
  const [height, width] = [4 * side, 4 * side];
  const vae = await Vae.create({ ...NET, input: { kind: "image", height, width, channels: 1 }, latent: LATENT, backend: "cpu", worker: false });
  for await (const _ of vae.trainPrior({ values: new Uint8Array(2 * height * width), shape: [2, height, width, 1] }, { prior, steps: 1, batchSize: 2 }));
  await vae.sample(64); // its plans are made
  const taken = await seconds(() => vae.sample(64));
  await vae.dispose();
  return taken;
}

export default {
  name: "codes",
  title: "Convolutions 32-64 on Fashion-MNIST, 7×7 codes of 256, and a gated prior over them",
  data: ["fashion"],
  async run({ Vae, data, measures, fit, long, log, makeJudge, picture }) {
    const [epochs, priorEpochs, seeds, n] = long ? [20, 20, [0, 1, 2], 60_000] : [5, 5, [0], 20_000];
    const set = await data.fashion();
    const train = data.rows(set.train, 0, n);
    const test = data.rows(set.test, 0, 2000);
    const held = { values: test.values, shape: test.shape };
    const judge = await makeJudge(set);
    const rows = [{ row: "classifier", "share of test pictures recognised": judge.accuracy }];
    const told = { "restarts on": { restart: true }, "restarts off": { restart: false } };
    const shown = [];
    const figures = {};
    const add = (name, key, value) => ((figures[name] ??= {})[key] ??= []).push(value);

    for (const seed of seeds) {
      for (const [name, options] of [...Object.entries(told), ["Gaussian", undefined]]) {
        const latent = options ? { ...LATENT, ...options } : GAUSSIAN;
        const { vae } = await fit({ model: { ...NET, latent }, set: { train, test }, epochs, seed, label: `${name},` });
        const back = await vae.reconstruct(held);
        add(name, "parameters", vae.info.parameters + (options ? CODES * LATENT.size : 0)); // a table of averages is no parameter of the optimiser
        add(name, "MSE", measures.reconstructionErrors(data.asFloats(held), back).mse);
        if (!options) {
          const samples = await vae.sample(N, { seed });
          add(name, "samples", await judge.distance(samples));
          if (seed === seeds[0]) shown.push(samples);
          await vae.dispose();
          continue;
        }
        const { usage, perplexity } = measures.codeUsage((await vae.encode(set.test)).indices, CODES);
        add(name, "usage", usage);
        add(name, "perplexity", perplexity);
        if (options.restart) {
          if (seed === seeds[0]) shown.push(held, back);
          const bare = { values: train.values, shape: train.shape };
          for await (const event of vae.trainPrior(bare, { prior: PRIOR, epochs: priorEpochs, batchSize: 64, learningRate: 2e-3, schedule: "cosine", validation: held, seed }))
            if (event.kind === "epoch") log(`prior, seed ${seed}, epoch ${event.epoch}: ${event.validation.bitsPerCode.toFixed(3)} bits per code held out`);
          const { bitsPerCode, crossEntropy } = await vae.evaluatePrior(held);
          add(name, "bits per code", bitsPerCode);
          add(name, "nats", crossEntropy);
          for (const sampler of ["prior", "uniform"]) {
            const samples = await vae.sample(N, { sampler, seed });
            add(name, sampler === "prior" ? "samples" : "uniform codes", await judge.distance(samples));
            if (seed === seeds[0]) shown.push(samples);
          }
          add(name, "seconds for 64", await seconds(() => vae.sample(64)));
        }
        await vae.dispose();
      }
    }
    await judge.dispose();
    const [on, off, gaussian] = ["restarts on", "restarts off", "Gaussian"].map((name) => figures[name]);
    const all = (holds) => seeds.every((_, i) => holds(i));
    rows.push({ row: "restarts on", ...on, ...bar("usage at least 90 %", all((i) => on.usage[i] >= 0.9)) });
    rows.push({ row: "restarts off", ...off, ...bar("usage below that with restarts", all((i) => off.usage[i] < on.usage[i])) });
    rows.push({ row: "Gaussian", ...gaussian, ...bar("MSE above that of codes", all((i) => gaussian.MSE[i] > on.MSE[i] && gaussian.parameters[i] >= on.parameters[i])) });
    rows.push({ row: "samples", "learnt / uniform": seeds.map((_, i) => on.samples[i] / on["uniform codes"][i]), ...bar("below a third", all((i) => on.samples[i] < on["uniform codes"][i] / 3)) });
    rows.push({ row: "samples", "learnt / N(0, I)": seeds.map((_, i) => on.samples[i] / gaussian.samples[i]), ...bar("below 1", all((i) => on.samples[i] < gaussian.samples[i])) });
    for (const prior of [PRIOR, { kind: "gated" }, { kind: "transformer" }]) {
      const taken = [];
      for (const side of [7, 14]) taken.push(await sampling(Vae, side, prior));
      const name = prior === PRIOR ? "gated, as above" : prior.kind;
      rows.push({ row: `64 samples, ${name}`, "seconds for 64": taken[0], "seconds for 4 times the codes": taken[1], growth: taken[1] / taken[0], ...bar(`at most ${MOST_SECONDS} s`, taken[0] < MOST_SECONDS) });
    }
    return { epochs, seeds, rows, pictures: [picture("samples", shown)] };
  },
};
