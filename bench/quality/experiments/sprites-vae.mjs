/** β-VAE (Higgins et al. 2017) on sprites: what β = 4 costs in reconstruction and saves in KL, beside β = 1. */
export default {
  name: "sprites-vae",
  title: "MLP 1024-256-256-10 on sprites of 32 × 32, nats per sprite",
  data: [],
  async run({ data, fit, long, picture }) {
    const [n, epochs, seeds] = long ? [100_000, 50, [0, 1, 2]] : [20_000, 10, [0]];
    const set = await data.sprites(32, n);
    const shown = data.rows(set.test, 0, 16);
    const rows = [];
    const compared = [shown];
    for (const beta of [1, 4]) {
      const reached = [];
      for (const seed of seeds) {
        const model = {
          encoder: { kind: "mlp", hidden: [256, 256] },
          latent: { kind: "gaussian", size: 10 },
          likelihood: { kind: "bernoulli" },
          objective: { kind: "elbo", beta },
        };
        const { vae, epochs: curve } = await fit({ model, set, epochs, seed, label: `β = ${beta},` });
        reached.push(curve.at(-1));
        if (seed === seeds[0]) compared.push(await vae.reconstruct(shown));
        await vae.dispose();
      }
      rows.push({ row: `β = ${beta}`, "−ELBO": reached.map(({ elbo }) => -elbo), reconstruction: reached.map((f) => f.reconstruction), KL: reached.map(({ kl }) => kl) });
    }
    return { epochs, seeds, rows, pictures: [picture("reconstructions", compared)] };
  },
};
