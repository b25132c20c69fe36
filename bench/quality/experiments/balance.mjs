/**
 * How reconstruction and KL are weighed. GECO and a target rate reach what they were told without anyone choosing a β; with β = 1 and σ² = 10 the
 * code is given up (no principal component of the digits has a variance of 10, and a linear VAE keeps those above σ²: Tipping & Bishop 1999),
 * `diagnose` says so, and free bits keep the code.
 */
import { bar } from "../results.mjs";

const WITHIN = 0.05;
const GOALS = [
  { kind: "geco", reconstruction: 100, figure: "reconstruction" },
  { kind: "geco", reconstruction: 85, figure: "reconstruction" },
  { kind: "target", rate: 10, figure: "kl" },
  { kind: "target", rate: 25, figure: "kl" },
];
const WIDE = Math.sqrt(10);
const WEIGHTS = [
  { row: "σ² = 1", sigma: 1 },
  { row: "σ² = 10", sigma: WIDE, finding: "posterior-collapse" },
  { row: "σ² = 10, free bits 0.25", sigma: WIDE, balance: { kind: "free_bits", nats: 0.25 }, fewest: 10 },
];

export default {
  name: "balance",
  title: "Weighing reconstruction and KL on the digits, nats per digit",
  data: ["digits"],
  async run(ctx) {
    const [epochs, seeds, n] = ctx.long ? [20, [0, 1, 2], 60_000] : [6, [0], 30_000];
    const digits = await ctx.data.digits();
    const set = { train: ctx.data.rows(digits.train, 0, n), test: ctx.data.rows(digits.test, 0, 2000) };
    const rows = [];
    for (const goal of GOALS) rows.push(await reach(ctx, { ...goal, set, epochs, seeds }));
    for (const weight of WEIGHTS) rows.push(await weigh(ctx, { ...weight, set, epochs, seeds }));
    return { epochs, seeds, rows };
  },
};

/** MLP 784-200-20, Bernoulli: the held-out figure that was to come to a goal. */
async function reach({ fit }, { figure, set, epochs, seeds, ...balance }) {
  const goal = balance.reconstruction ?? balance.rate;
  const row = { row: `${balance.kind === "geco" ? "GECO, reconstruction" : "target, KL"} ${goal}`, reconstruction: [], KL: [] };
  const reached = [];
  for (const seed of seeds) {
    const model = { encoder: { kind: "mlp", hidden: [200] }, latent: { kind: "gaussian", size: 20 }, likelihood: { kind: "bernoulli" }, balance };
    const { vae, epochs: curve } = await fit({ model, set, epochs, seed, label: `${row.row},` });
    const last = curve.at(-1);
    row.reconstruction.push(last.reconstruction);
    row.KL.push(last.kl);
    reached.push(last[figure]);
    await vae.dispose();
  }
  return { ...row, ...bar("within 5 % of it", reached.every((found) => Math.abs(found / goal - 1) <= WITHIN)) };
}

/** MLP 784-200-32, Gaussian with a fixed σ and β = 1: how much of the code is in use, and what is said of it. */
async function weigh({ fit, measures }, { row: name, sigma, balance, finding, fewest, set, epochs, seeds }) {
  const row = { row: name, reconstruction: [], KL: [], "active units of 32": [] };
  const findings = [];
  for (const seed of seeds) {
    const model = { encoder: { kind: "mlp", hidden: [200] }, latent: { kind: "gaussian", size: 32 }, likelihood: { kind: "gaussian", sigma }, ...(balance && { balance }) };
    const { vae, epochs: curve, history } = await fit({ model, set, epochs, seed, label: `${name},` });
    const posterior = await vae.encode(set.test);
    row.reconstruction.push(curve.at(-1).reconstruction);
    row.KL.push(curve.at(-1).kl);
    row["active units of 32"].push(measures.activeUnits({ values: posterior.mean, shape: posterior.shape }).count);
    findings.push(measures.diagnose({ history, klPerDimension: measures.klPerDimension(posterior) }).map(({ code }) => code));
    await vae.dispose();
  }
  row.diagnosis = [...new Set(findings.flat())].join(", ") || "nothing";
  const counts = row["active units of 32"];
  const isNamed = findings.every((codes) => codes.includes(finding));
  if (finding !== undefined) return { ...row, ...bar(`no active unit, found to be ${finding}`, isNamed && counts.every((count) => count === 0)) };
  if (fewest !== undefined) return { ...row, ...bar(`at least ${fewest} active`, counts.every((count) => count >= fewest)) };
  return row;
}
