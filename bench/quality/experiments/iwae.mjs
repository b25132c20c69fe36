/**
 * The importance-weighted bound (Burda et al. 2016) against the ELBO: the same net, 784-200-200-50 with tanh as theirs, as many epochs, and
 * log p(x) of the same 1,000 test digits by 1,000 draws each. Digits are drawn to black and white once, with a fixed seed.
 */
import { bar } from "../results.mjs";

const OBJECTIVES = { VAE: { kind: "elbo" }, "IWAE, k = 5": { kind: "iwae", samples: 5 } };
const DRAWS = 1000;

export default {
  name: "iwae",
  title: "MLP 784-200-200-50 on binarised digits, −log p(x) in nats per digit",
  data: ["digits"],
  async run({ data, fit, long, log, measures }) {
    const [epochs, seeds] = long ? [20, [0, 1, 2]] : [8, [0]];
    const digits = await data.digits();
    const set = { train: data.binarised(digits.train, 1), test: data.binarised(data.rows(digits.test, 0, 1000), 2) };
    const model = { encoder: { kind: "mlp", hidden: [200, 200], activation: "tanh" }, latent: { kind: "gaussian", size: 50 }, likelihood: { kind: "bernoulli" } };
    const nll = {};
    const rows = [];
    for (const [name, objective] of Object.entries(OBJECTIVES)) {
      const [bounds, actives] = [[], []];
      nll[name] = [];
      for (const seed of seeds) {
        const { vae, epochs: curve } = await fit({ model: { ...model, objective }, set, epochs, seed, train: { batchSize: 100 }, label: `${name},` });
        const { values } = await vae.logLikelihood(set.test, { samples: DRAWS });
        const { mean, shape } = await vae.encode(set.test);
        nll[name].push(values.map((x) => -x));
        bounds.push(-curve.at(-1).elbo);
        actives.push(measures.activeUnits({ values: mean, shape }).count);
        log(`${name}, seed ${seed}: −log p ${average(nll[name].at(-1)).toFixed(2)}`);
        await vae.dispose();
      }
      rows.push({ row: name, "−log p": nll[name].map(average), "−ELBO": bounds, "active units": actives });
    }
    const gains = seeds.map((_, i) => nll.VAE[i].map((x, j) => x - nll["IWAE, k = 5"][i][j]));
    const [means, errors] = [gains.map(average), gains.map(standardError)];
    const holds = means.every((gain, i) => gain > 2 * errors[i]);
    rows.push({ row: "gain of IWAE", "−log p": means, "standard error over digits": errors, ...bar("above two standard errors", holds) });
    return { epochs, seeds, rows };
  },
};

const average = (values) => values.reduce((a, b) => a + b, 0) / values.length;

const standardError = (values) => {
  const mean = average(values);
  return Math.sqrt(values.reduce((sum, x) => sum + (x - mean) ** 2, 0) / (values.length - 1) / values.length);
};
