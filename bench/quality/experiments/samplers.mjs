/**
 * Where latent points come from: for one and the same model, samples of N(0, I) against those of laws fitted to its codes (Ghosh et al. 2020).
 * The less the KL weighs, the less the codes look like the prior and the more a fitted law is worth. The distance is Fréchet's between features of
 * a classifier, to the test digits.
 */
import { bar } from "../results.mjs";

const MODELS = {
  "VAE, β = 1": { kind: "elbo" },
  "VAE, β = 0.1": { kind: "elbo", beta: 0.1 },
  RAE: { kind: "rae" },
};
const SAMPLERS = [{ kind: "normal" }, { kind: "gaussian" }, { kind: "mixture", components: 20 }];
const N = 5000;
/** Of the distance that samples of N(0, I) have. */
const MOST = 0.6;

export default {
  name: "samplers",
  title: "MLP 784-300-16 on the digits, Fréchet distance of 5,000 samples to the test digits",
  data: ["digits"],
  async run({ data, fit, long, log, makeJudge, picture }) {
    const [epochs, seeds, n] = long ? [20, [0, 1, 2], 60_000] : [8, [0], 30_000];
    const set = await data.digits();
    const train = data.rows(set.train, 0, n);
    const codes = data.rows(set.train, 0, 10_000);
    const judge = await makeJudge(set);
    const rows = [{ row: "classifier", "share of test digits recognised": judge.accuracy, ...bar("at least 98 %", judge.accuracy >= 0.98) }];
    const shown = [];
    for (const [name, objective] of Object.entries(MODELS)) {
      const row = { row: name };
      for (const seed of seeds) {
        const model = { encoder: { kind: "mlp", hidden: [300] }, latent: { kind: "gaussian", size: 16 }, likelihood: { kind: "bernoulli" }, objective };
        const { vae } = await fit({ model, set: { train, test: data.rows(set.test, 0, 2000) }, epochs, seed, label: `${name},` });
        const reconstructed = await judge.distance(await vae.reconstruct(set.test));
        (row.reconstructions ??= []).push(reconstructed);
        for (const options of SAMPLERS) {
          const { kind } = options;
          if (kind !== "normal") await vae.fitSampler(codes, options, { seed });
          const samples = await vae.sample(N, { sampler: kind === "normal" ? "prior" : kind, seed });
          (row[kind === "normal" ? "N(0, I)" : kind] ??= []).push(await judge.distance(samples));
          if (seed === seeds[0]) shown.push(samples);
        }
        await vae.dispose();
      }
      row["mixture / N(0, I)"] = seeds.map((_, i) => row.mixture[i] / row["N(0, I)"][i]);
      rows.push({ ...row, ...bar(`mixture at most ${MOST} of N(0, I)`, row["mixture / N(0, I)"].every((ratio) => ratio <= MOST)) });
      log(`${name}: mixture / N(0, I) ${row["mixture / N(0, I)"].map((ratio) => ratio.toFixed(3))}`);
    }
    await judge.dispose();
    return { epochs, seeds, rows, pictures: [picture("samples", shown)] };
  },
};
