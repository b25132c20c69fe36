/**
 * Pictures in colour: 64 × 64 emoji by convolutions alone, and by residual blocks with group norm whose weights are averaged; both with the
 * optimal σ. 3,415 pictures are few, so each is learnt mirrored as well; what is held out is of other emoji, so that their error is that of a
 * code which has to generalise. Such codes carry hundreds of nats, and N(0, I) knows nothing of where they lie: the samples beside it are of a
 * mixture fitted to them.
 */
import { bar } from "../results.mjs";

const SHOWN = 14;
const CHANNELS = [16, 32, 64, 128];
const NETS = {
  convolutions: { encoder: { kind: "conv", channels: CHANNELS, hidden: [256] } },
  "residual, group norm, averaged": { encoder: { kind: "residual", channels: CHANNELS, hidden: [256] }, ema: 0.998 },
};
const LEAST = 0.8;

export default {
  name: "emoji",
  title: "VAEs of 128 dimensions on emoji of 64 × 64 in RGB",
  data: ["emoji"],
  async run({ data, fit, long, measures, picture }) {
    const [epochs, seeds] = long ? [80, [0, 1, 2]] : [12, [0]];
    const { train, test } = await data.emoji(64);
    const set = { train: data.mirrored(train), test };
    const seen = data.asFloats(test);
    const shown = data.rows(test, 0, SHOWN);
    const [rows, pictures] = [[], []];
    for (const [name, net] of Object.entries(NETS)) {
      const row = { row: name, "−ELBO": [], KL: [], "variance explained": [], PSNR: [], SSIM: [] };
      for (const seed of seeds) {
        const model = { latent: { kind: "gaussian", size: 128 }, likelihood: { kind: "gaussian", scale: "optimal" }, ...net };
        const { vae, epochs: curve } = await fit({ model, set, epochs, seed, train: { batchSize: 32 }, label: `${name},` });
        const again = await vae.reconstruct(seen);
        const { mseOverVariance, psnr } = measures.reconstructionErrors(seen, again);
        const { elbo, kl } = curve.at(-1);
        const found = [-elbo, kl, 1 - mseOverVariance, psnr, measures.ssim(seen, again)];
        Object.keys(row).slice(1).forEach((column, i) => row[column].push(found[i]));
        if (seed === seeds[0]) {
          await vae.fitSampler(set.train, { kind: "mixture", components: 20 }, { seed });
          const samples = await Promise.all([seed, seed + 1].map((s) => vae.sample(SHOWN, { sampler: "mixture", seed: s })));
          pictures.push(picture(net.ema ? "residual" : "convolutions", [shown, await vae.reconstruct(shown), ...samples, await vae.sample(SHOWN, { sampler: "prior", seed })]));
        }
        await vae.dispose();
      }
      rows.push(row);
    }
    const explained = rows.map((row) => row["variance explained"]);
    Object.assign(rows[1], bar(`at least ${100 * LEAST} % of the variance, and more than convolutions`, explained[1].every((share, i) => share >= LEAST && share > explained[0][i])));
    return { epochs, seeds, rows, pictures };
  },
};
