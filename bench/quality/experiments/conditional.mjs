/**
 * A conditional VAE (Sohn et al. 2015) whose label is left out now and then, so that it can be guided (Ho & Salimans 2022): whether samples are
 * what they were asked to be, by a classifier, and whether a digit's style stays when its label is changed. With β = 1 the code of a digit tells
 * its class once more, and a code drawn from the prior contradicts the label; a stronger KL leaves the class to the label.
 */
import { bar } from "../results.mjs";

const N = 2000;
const LEAST = 0.95;
const STRENGTHS = [1, 2];
const BETAS = [
  { beta: 1 },
  { beta: 4, isHeld: true },
];

export default {
  name: "conditional",
  title: "Conditional MLP 784-256-256-8 on the digits, share of 2,000 samples recognised as their label",
  data: ["digits"],
  async run(ctx) {
    const [epochs, seeds, n] = ctx.long ? [20, [0, 1, 2], 60_000] : [8, [0], 30_000];
    const digits = await ctx.data.digits();
    const set = { train: ctx.data.rows(digits.train, 0, n), test: ctx.data.rows(digits.test, 0, 2000) };
    const judge = await ctx.makeJudge(digits);
    const rows = [{ row: "test digits", recognised: judge.accuracy }];
    const pictures = [];
    for (const { beta, isHeld } of BETAS) {
      const found = STRENGTHS.map(() => ({ recognised: [], "least of a class": [], "Fréchet distance": [] }));
      for (const seed of seeds) {
        const vae = await train(ctx, { beta, set, epochs, seed });
        const told = await Promise.all(STRENGTHS.map((guidance) => judged({ vae, judge, guidance, seed })));
        told.forEach((figures, i) => Object.entries(figures).forEach(([name, figure]) => found[i][name].push(figure)));
        if (isHeld && seed === seeds[0]) pictures.push(...(await show(ctx, { vae, seed, examples: ctx.data.rows(set.test, 0, 10) })));
        await vae.dispose();
      }
      STRENGTHS.forEach((guidance, i) => {
        const held = isHeld && bar(`at least ${100 * LEAST} %`, found[i].recognised.every((share) => share >= LEAST));
        rows.push({ row: `β = ${beta}, guidance ${guidance}`, ...found[i], ...held });
      });
    }
    await judge.dispose();
    return { epochs, seeds, rows, pictures };
  },
};

async function train({ fit }, { beta, set, epochs, seed }) {
  const encoder = { kind: "mlp", hidden: [256, 256] };
  const model = { encoder, latent: { kind: "gaussian", size: 8 }, likelihood: { kind: "bernoulli" }, objective: { kind: "elbo", beta }, condition: { classes: 10 } };
  return (await fit({ model, set, epochs, seed, label: `β = ${beta},` })).vae;
}

const classes = (n) => Uint8Array.from({ length: n }, (_, i) => i % 10);

async function judged({ vae, judge, guidance, seed }) {
  const labels = classes(N);
  const samples = await vae.sample(N, { labels, guidance, seed });
  const { accuracy, perClass } = await judge.agreement(samples, labels);
  return { recognised: accuracy, "least of a class": Math.min(...perClass), "Fréchet distance": await judge.distance(samples) };
}

/** Samples, a row for each class, by guidance; and examples, each followed by its code decoded under every label in turn. */
async function show({ picture }, { vae, seed, examples }) {
  const pictures = [];
  for (const guidance of STRENGTHS) {
    const samples = await vae.sample(120, { labels: classes(120), guidance, seed });
    pictures.push(picture(`guidance-${guidance}`, Array.from({ length: 10 }, (_, c) => pick(samples, Array.from({ length: 12 }, (_, i) => 10 * i + c)))));
  }
  const { mean, shape: [n, size] } = await vae.encode(examples);
  const rows = [];
  for (let i = 0; i < n; i++) {
    const z = Float32Array.from({ length: 10 * size }, (_, at) => mean[i * size + (at % size)]);
    const { values, shape } = await vae.decode({ values: z, shape: [10, size] }, { labels: classes(10) });
    const own = Float32Array.from(pick(examples, [i]).values, (byte) => byte / 255);
    rows.push({ values: Float32Array.of(...own, ...values), shape: [11, ...shape.slice(1)] });
  }
  return [...pictures, picture("label-swap", rows)];
}

/** The pictures of these numbers. */
function pick({ values, shape }, numbers) {
  const size = values.length / shape[0];
  const picked = new values.constructor(numbers.length * size);
  numbers.forEach((number, i) => picked.set(values.subarray(number * size, (number + 1) * size), i * size));
  return { values: picked, shape: [numbers.length, ...shape.slice(1)] };
}
