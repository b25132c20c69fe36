/**
 * Whether one dimension of the code tells one factor: VAE, β-VAE (Higgins et al. 2017) and β-TCVAE (Chen et al. 2018) on sprites with the factors
 * of dSprites, by what 3,000 others' codes tell of their factors. β-TCVAE presses on the total correlation alone, so that its codes may say more.
 */
import { bar } from "../results.mjs";

const OBJECTIVES = {
  VAE: { kind: "elbo" },
  "β-VAE, β = 4": { kind: "elbo", beta: 4 },
  "β-TCVAE, β = 6": { kind: "tcvae", beta: 6 },
};

export default {
  name: "sprites",
  title: "MLP 1024-128-128-10 on sprites of 32 × 32",
  data: [],
  async run({ data, fit, long, log, measures, picture }) {
    const [n, epochs, seeds] = long ? [100_000, 50, [0, 1, 2, 3, 4]] : [30_000, 15, [0, 1, 2]];
    const set = await data.sprites(32, n);
    const { test } = set;
    const factors = { values: test.factors, shape: [test.shape[0], test.factorSizes.length] };
    const shown = data.rows(test, 0, 16);
    const [rows, compared] = [[], [shown]];
    for (const [name, objective] of Object.entries(OBJECTIVES)) {
      const row = { row: name, "−ELBO": [], reconstruction: [], KL: [], MIG: [], SAP: [], "DCI disentanglement": [], "FactorVAE score": [] };
      for (const seed of seeds) {
        const model = { encoder: { kind: "mlp", hidden: [128, 128] }, latent: { kind: "gaussian", size: 10 }, likelihood: { kind: "bernoulli" }, objective };
        const { vae, epochs: curve } = await fit({ model, set, epochs, seed, label: `${name},` });
        const { elbo, reconstruction, kl } = curve.at(-1);
        const { mean, shape } = await vae.encode(test);
        const codes = { values: mean, shape };
        const found = [-elbo, reconstruction, kl, measures.mig(codes, factors).score, measures.sap(codes, factors).score, measures.dci(codes, factors).disentanglement, measures.factorVaeScore(codes, factors).score];
        Object.keys(row).slice(1).forEach((column, i) => row[column].push(found[i]));
        log(`${name}, seed ${seed}: MIG ${row.MIG.at(-1).toFixed(4)}`);
        if (seed === seeds[0]) compared.push(await vae.reconstruct(shown));
        await vae.dispose();
      }
      rows.push(row);
    }
    const [vae, beta, tcvae] = rows.map(({ MIG }) => MIG.reduce((a, b) => a + b, 0) / MIG.length);
    Object.assign(rows[1], bar("mean MIG above the VAE's", beta > vae));
    Object.assign(rows[2], bar("mean MIG above the β-VAE's", tcvae > beta));
    return { epochs, seeds, rows, pictures: [picture("reconstructions", compared)] };
  },
};
