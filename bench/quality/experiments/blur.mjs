/**
 * Why samples of a VAE look washed out, and what helps: one net, four laws p(x|z) of grey values. With σ = 1 a squared error of a whole digit
 * costs a few nats, so that few codes pay; a σ that fits makes details worth telling (Rybkin et al. 2021).
 *
 * All are held to the same thing, bits for a byte of 256 levels: the discretised logistic is a probability of bytes, the Gaussians are densities
 * of (byte + u) / 256 with u uniform, whose mean log is at most the log of the probability that they give the byte (Theis et al. 2016).
 * −ELBO stands for −log p in both. Half of these bytes are 0: a logistic of a scale of its own puts all its lower tail there, one σ for
 * all cannot. What is sharp has a large KL, and codes that the prior does not know: hence samples of a fitted mixture beside those of N(0, I).
 */
import { bar } from "../results.mjs";

const SHOWN = 16;
const LAWS = {
  "Gaussian, σ = 1": { kind: "gaussian", scale: "fixed", sigma: 1 },
  "Gaussian, σ learnt": { kind: "gaussian", scale: "learned" },
  "Gaussian, σ optimal": { kind: "gaussian", scale: "optimal" },
  "discretised logistic": { kind: "logistic" },
};

export default {
  name: "blur",
  title: "MLP 784-300-20 on Fashion-MNIST by p(x|z), bits per byte",
  data: ["fashion"],
  async run({ data, fit, long, measures, picture }) {
    const [epochs, seeds, n] = long ? [20, [0, 1, 2], 60_000] : [8, [0], 30_000];
    const fashion = await data.fashion();
    const bytes = { train: data.rows(fashion.train, 0, n), test: data.rows(fashion.test, 0, 2000) };
    const floats = { train: data.dequantised(bytes.train, 1), test: data.dequantised(bytes.test, 2) };
    const shown = data.rows(bytes.test, 0, SHOWN);
    const [rows, reconstructions, samples, fitted] = [[], [shown], [], []];
    for (const [name, likelihood] of Object.entries(LAWS)) {
      const isMass = likelihood.kind === "logistic";
      const row = { row: name };
      for (const seed of seeds) {
        const model = { encoder: { kind: "mlp", hidden: [300] }, latent: { kind: "gaussian", size: 20 }, likelihood };
        const { vae, epochs: curve } = await fit({ model, set: isMass ? bytes : floats, epochs, seed, label: `${name},` });
        const { elbo, kl } = curve.at(-1);
        const seen = data.asFloats(bytes.test);
        const { mse } = measures.reconstructionErrors(seen, await vae.reconstruct(seen));
        (row["bits per byte"] ??= []).push(measures.bitsPerDimension(-elbo, 784, { levels: isMass ? 1 : 256 }));
        (row.KL ??= []).push(kl);
        (row["squared error of a picture"] ??= []).push(784 * mse);
        if (seed === seeds[0]) {
          reconstructions.push(await vae.reconstruct(shown));
          samples.push(await vae.sample(SHOWN, { seed }));
          await vae.fitSampler(data.rows(bytes.train, 0, 5000), { kind: "mixture", components: 20 }, { seed });
          fitted.push(await vae.sample(SHOWN, { sampler: "mixture", seed }));
        }
        await vae.dispose();
      }
      rows.push(row);
    }
    const [fixed, , optimal, logistic] = rows.map((row) => row["bits per byte"]);
    const below = (a, b) => a.every((bits, i) => bits < b[i]);
    Object.assign(rows[2], bar("below σ = 1", below(optimal, fixed)));
    Object.assign(rows[3], bar("below every Gaussian", rows.slice(0, 3).every((row) => below(logistic, row["bits per byte"]))));
    const pictures = Object.entries({ reconstructions, samples, "mixture-samples": fitted }).map(([title, grid]) => picture(title, grid));
    return { epochs, seeds, rows, pictures };
  },
};
