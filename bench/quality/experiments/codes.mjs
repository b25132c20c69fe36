/**
 * Codes and a prior learnt over them (van den Oord et al. 2017): whether the codebook is in use with restarts and without, what a picture comes
 * back as beside Gaussian VAEs of as many parameters and of the same convolutions, whose dense layers make them thrice as many (once by
 * Bernoulli, whose N(0, I) draws the better pictures), and what samples of the learnt prior are worth beside uniform codes and those of N(0, I).
 * Distances are Fréchet's between features of a classifier, to the test pictures. Then what sampling takes.
 */
import { bar } from "../results.mjs";

const NET = { encoder: { kind: "conv", channels: [32, 64] }, likelihood: { kind: "gaussian", scale: "optimal" } };
const CODES = 256;
const LATENT = { kind: "vq", codes: CODES, size: 16 };
const GAUSSIAN = { kind: "gaussian", size: 16 };
const MODELS = {
  "restarts on": { latent: { ...LATENT, restart: true } },
  "restarts off": { latent: { ...LATENT, restart: false } },
  "Gaussian, equal parameters": { latent: GAUSSIAN, encoder: { kind: "conv", channels: [16, 25] } },
  "Gaussian, equal convolutions": { latent: GAUSSIAN },
  "Gaussian, equal convolutions, Bernoulli": { latent: GAUSSIAN, likelihood: { kind: "bernoulli" } },
};
const GAUSSIANS = Object.keys(MODELS).filter((name) => MODELS[name].latent === GAUSSIAN);
const PRIOR = { kind: "gated", channels: 32, layers: 5 };
const N = 5000;
/** Seconds for 64 samples of a grid of 7×7; how many times as long four times the codes take, where a code sees no more of them for that. */
const MOST_SECONDS = 2;
const MOST_GROWTH = 5; // 4 and a quarter more, for timings; a pass over the whole grid for each code would take 16

const seconds = async (body) => {
  const start = performance.now();
  await body();
  return (performance.now() - start) / 1000;
};

/**
 * Seconds for 64 samples of grids of so many codes a side, medians of five rounds over all of them, of priors of one step: they say nothing of
 * what was learnt.
 */
async function sampling(Vae, sides, prior) {
  const models = [];
  for (const side of sides) {
    const [height, width] = [4 * side, 4 * side];
    const vae = await Vae.create({ ...NET, input: { kind: "image", height, width, channels: 1 }, latent: LATENT, backend: "cpu", worker: false });
    for await (const _ of vae.trainPrior({ values: new Uint8Array(2 * height * width), shape: [2, height, width, 1] }, { prior, steps: 1, batchSize: 2 }));
    await vae.sample(64); // its plans are made
    models.push({ vae, taken: [] });
  }
  for (let round = 0; round < 5; round++) for (const { vae, taken } of models) taken.push(await seconds(() => vae.sample(64)));
  await Promise.all(models.map(({ vae }) => vae.dispose()));
  return models.map(({ taken }) => taken.sort((a, b) => a - b)[2]);
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
    const shown = [];
    const figures = {};
    const add = (name, key, value) => ((figures[name] ??= {})[key] ??= []).push(value);

    for (const seed of seeds) {
      for (const [name, model] of Object.entries(MODELS)) {
        const { vae } = await fit({ model: { ...NET, ...model }, set: { train, test }, epochs, seed, label: `${name},` });
        const isGaussian = GAUSSIANS.includes(name);
        const back = await vae.reconstruct(held);
        add(name, "parameters", vae.info.parameters + (isGaussian ? 0 : CODES * LATENT.size)); // a table of averages is no parameter of the optimiser
        add(name, "MSE", measures.reconstructionErrors(data.asFloats(held), back).mse);
        if (isGaussian) {
          const samples = await vae.sample(N, { seed });
          add(name, "samples", await judge.distance(samples));
          if (seed === seeds[0]) shown.push(samples);
          await vae.dispose();
          continue;
        }
        const { usage, perplexity } = measures.codeUsage((await vae.encode(set.test)).indices, CODES);
        add(name, "usage", usage);
        add(name, "perplexity", perplexity);
        if (model.latent.restart) {
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
    const [on, off, ...gaussians] = Object.keys(MODELS).map((name) => figures[name]);
    const all = (holds) => seeds.every((_, i) => holds(i));
    rows.push({ row: "restarts on", ...on, ...bar("usage at least 90 %", all((i) => on.usage[i] >= 0.9)) });
    rows.push({ row: "restarts off", ...off, ...bar("usage lower by at least 10 % of the codes", all((i) => on.usage[i] - off.usage[i] >= 0.1)) });
    gaussians.forEach((gaussian, i) => {
      const above = (seed) => gaussian.MSE[seed] > on.MSE[seed] && gaussian.parameters[seed] >= on.parameters[seed];
      rows.push({ row: GAUSSIANS[i], ...gaussian, ...bar("MSE above that of codes, with no fewer parameters", all(above)) });
    });
    rows.push({ row: "samples", "learnt / uniform": seeds.map((_, i) => on.samples[i] / on["uniform codes"][i]), ...bar("below a third", all((i) => on.samples[i] < on["uniform codes"][i] / 3)) });
    gaussians.forEach((gaussian, i) => {
      const ratios = seeds.map((_, seed) => on.samples[seed] / gaussian.samples[seed]);
      rows.push({ row: "samples", [`learnt / ${GAUSSIANS[i]}`]: ratios, ...bar("below 1", ratios.every((ratio) => ratio < 1)) });
    });
    for (const prior of [PRIOR, { kind: "gated" }, { kind: "transformer" }]) {
      const [of7, of14] = await sampling(Vae, [7, 14], prior);
      const growth = of14 / of7;
      const row = { row: `64 samples, ${prior === PRIOR ? "gated, as above" : prior.kind}`, "seconds for 7×7": of7, "seconds for 14×14": of14, growth };
      const isLocal = prior.kind === "gated"; // a transformer's code attends to all before it
      const held = isLocal ? bar(`7×7 below ${MOST_SECONDS} s, growth at most ${MOST_GROWTH}`, of7 < MOST_SECONDS && growth <= MOST_GROWTH) : bar(`7×7 below ${MOST_SECONDS} s`, of7 < MOST_SECONDS);
      rows.push({ ...row, ...held });
    }
    return { epochs, seeds, rows, pictures: [picture("samples", shown)] };
  },
};
