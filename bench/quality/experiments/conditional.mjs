/**
 * A conditional VAE (Sohn et al. 2015) whose label is left out now and then, so that it can be guided (Ho & Salimans 2022): whether samples are
 * what they were asked to be, by a classifier, and whether a digit's style stays when its label is changed.
 */
import { bar } from "../results.mjs";

const N = 2000;
const LEAST = 0.95;
const STRENGTHS = [1, 2];

export default {
  name: "conditional",
  title: "Conditional MLP 784-400-16 on the digits, share of 2,000 samples recognised as their label",
  data: ["digits"],
  async run({ data, fit, long, makeJudge, picture }) {
    const [epochs, seeds, n] = long ? [20, [0, 1, 2], 60_000] : [8, [0], 30_000];
    const set = await data.digits();
    const part = { train: data.rows(set.train, 0, n), test: data.rows(set.test, 0, 2000) };
    const judge = await makeJudge(set);
    const labels = Uint8Array.from({ length: N }, (_, i) => i % 10);
    const model = { encoder: { kind: "mlp", hidden: [400] }, latent: { kind: "gaussian", size: 16 }, likelihood: { kind: "bernoulli" }, condition: { classes: 10 } };
    const found = STRENGTHS.map(() => ({ recognised: [], worst: [], distance: [] }));
    const pictures = [];
    for (const seed of seeds) {
      const { vae } = await fit({ model, set: part, epochs, seed });
      for (const [i, guidance] of STRENGTHS.entries()) {
        const samples = await vae.sample(N, { labels, guidance, seed });
        const { accuracy, perClass } = await judge.agreement(samples, labels);
        found[i].recognised.push(accuracy);
        found[i].worst.push(Math.min(...perClass));
        found[i].distance.push(await judge.distance(samples));
        if (seed === seeds[0]) pictures.push(picture(`guidance-${guidance}`, Array.from({ length: 10 }, (_, row) => pick(samples, (column) => 10 * column + row, 12))));
      }
      if (seed === seeds[0]) pictures.push(picture("label-swap", await swapped(vae, data.rows(part.test, 0, 10))));
      await vae.dispose();
    }
    const rows = STRENGTHS.map((guidance, i) => {
      const { recognised, worst, distance } = found[i];
      const held = bar(`at least ${100 * LEAST} %`, recognised.every((share) => share >= LEAST));
      return { row: `guidance ${guidance}`, recognised, "least of a class": worst, "Fréchet distance": distance, ...held };
    });
    rows.unshift({ row: "test digits", recognised: judge.accuracy });
    await judge.dispose();
    return { epochs, seeds, rows, pictures };
  },
};

/** Each example in a row, followed by its code decoded under every label in turn. */
async function swapped(vae, examples) {
  const { mean, shape: [n, size] } = await vae.encode(examples);
  const rows = [];
  for (let i = 0; i < n; i++) {
    const z = new Float32Array(10 * size);
    for (let label = 0; label < 10; label++) z.set(mean.subarray(i * size, (i + 1) * size), label * size);
    const { values, shape } = await vae.decode({ values: z, shape: [10, size] }, { labels: Uint8Array.from({ length: 10 }, (_, label) => label) });
    const own = Float32Array.from(pick(examples, () => i, 1).values, (byte) => byte / 255);
    rows.push({ values: Float32Array.of(...own, ...values), shape: [11, ...shape.slice(1)] });
  }
  return rows;
}

/** Pictures number at(0) … at(n − 1) of many. */
function pick({ values, shape }, at, n) {
  const size = values.length / shape[0];
  const picked = new values.constructor(n * size);
  for (let i = 0; i < n; i++) picked.set(values.subarray(at(i) * size, (at(i) + 1) * size), i * size);
  return { values: picked, shape: [n, ...shape.slice(1)] };
}
