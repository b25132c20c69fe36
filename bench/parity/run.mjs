/**
 * Our training beside another: the same initial weights, batch order and noise.
 *
 *   node bench/parity/run.mjs --net mlp|conv --backend cpu|webgpu (--epochs 10 | --steps 200) [--against torch|cpu]
 *       [--follow STEPS] [--init glorot|kaiming] [--activation relu|silu] [--seed 0] [--log-every 50] [--threads 1] [--out FILE.json]
 *
 * Against torch (reference.py, run by $PYTHON or python3): held-out −ELBO on the 10,000 test digits within ±0.5 nat at the end; every epoch is shown.
 * Against cpu: our CPU backend from the same file; every mean of the curve within 1 %. Ends with 1 where that does not hold.
 *
 * Training amplifies rounding errors: PyTorch itself ends 1 to 2 nat from PyTorch on the convolutional net with ReLU where the initial weights
 * differ by one part in 10⁷ (reference.py --jitter 1e-7). --follow makes that a fair comparison: every STEPS steps the other goes on from our weights
 * and moments, so that each stretch is held against the same stretch from the same state.
 */
import { spawn } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { Failure, main, say } from "../../scripts/run.mjs";
import { BENCH, openLab } from "../lab.mjs";

const TRAIN_ROWS = 60_000;
const BATCH = 128;
const NATS = 0.5;
const SHARE = 0.01;

const NETS = {
  mlp: { kind: "mlp", hidden: [400], activation: "relu" },
  conv: { kind: "conv", channels: [32, 32, 64, 64], kernel: 4, stride: 2, padding: 1, hidden: [256], activation: "silu" },
};

const model = (net, seed, backend, init, activation) => ({
  input: { kind: "image", height: 28, width: 28, channels: 1 },
  encoder: { ...NETS[net], activation },
  ...(init && { init }),
  latent: { kind: "gaussian", size: 20 },
  likelihood: { kind: "bernoulli" },
  objective: { kind: "elbo", beta: 1 },
  seed,
  backend,
});

/** Trains our model in a page of its own: a new one of `options`, or that of `file`, the weights as base64. `keep(step, file)` gets its states. */
async function ours(lab, { options, file, backend, train, follow, keep }) {
  const { page, said } = await lab.open("bench/parity/page/");
  const [curve, epochs] = [[], []];
  const note = (step, epoch, figures) => {
    if (epochs.at(-1)?.step === step) return;
    epochs.push({ epoch, step, negative_elbo: -figures.elbo, reconstruction: figures.reconstruction, kl: figures.kl });
    console.log(`step ${step}: ${epochs.at(-1).negative_elbo.toFixed(3)}`);
  };
  await page.exposeFunction("report", ({ kind, validation, ...event }) => (kind === "step" ? void curve.push(event) : note(event.step, event.epoch, validation)));
  await page.waitForFunction("window.parity");
  const weights = file ?? (await page.evaluate((o) => window.parity.create(o), options));
  if (file) await page.evaluate(([f, o]) => window.parity.load(f, o), [file, { backend }]);
  const total = train.steps ?? Math.ceil((train.epochs * TRAIN_ROWS) / BATCH);
  let [last, seconds] = [{ step: 0 }, 0];
  while (last.step < total) {
    const steps = Math.min(follow ?? total, total - last.step);
    last = await page.evaluate((o) => window.parity.train(o), { steps, logEvery: train.logEvery, batchSize: BATCH, learningRate: 1e-3 });
    seconds += last.seconds;
    note(last.step, (last.step * BATCH) / TRAIN_ROWS, last.held_out);
    if (follow && last.step < total) keep(last.step, await page.evaluate(() => window.parity.save()));
  }
  await page.close();
  if (said.length) console.log(said.join("\n"));
  const { backend: ran, adapter, plan, parameters } = last.info;
  return { weights, report: { backend: ran, adapter, parameters, dispatches: plan.dispatches, seconds, epochs, curve } };
}

/** Runs reference.py and reads what it wrote. */
async function torch(weights, out, { net, activation, seed, threads, train, folder }) {
  const length = train.epochs ? ["--epochs", train.epochs] : ["--steps", train.steps];
  const args = [join(BENCH, "parity/reference.py"), weights, "--net", net, "--activation", activation, ...length, "--seed", seed, "--threads", threads, "--log-every", train.logEvery, "--out", out, ...(folder ? ["--follow", folder] : [])];
  const child = spawn(process.env.PYTHON ?? "python3", args.map(String), { stdio: "inherit" });
  const code = await new Promise((done) => child.on("error", () => done(-1)).on("exit", done));
  if (code !== 0) throw new Failure("reference.py failed: give a Python with bench/requirements.txt as PYTHON=…");
  return JSON.parse(readFileSync(out, "utf8"));
}

/** Pairs of the same step, and the largest difference between the means of the two curves, as a share. */
const pairs = (a, b) => a.flatMap((x) => b.filter((y) => y.step === x.step).map((y) => [x, y]));
const apart = (a, b) => Math.max(...pairs(a, b).map(([x, y]) => Math.abs(x.loss / y.loss - 1)));

function table(a, b, name) {
  const rows = pairs(a.epochs, b.epochs).map(([x, y]) => {
    const cells = [x.epoch.toFixed(2), x.step, x.negative_elbo.toFixed(3), y.negative_elbo.toFixed(3), (x.negative_elbo - y.negative_elbo).toFixed(3)];
    return `| ${[...cells, (x.reconstruction - y.reconstruction).toFixed(3), (x.kl - y.kl).toFixed(3)].join(" | ")} |`;
  });
  return [`| epoch | step | ours, −ELBO | ${name} | difference | of the reconstruction | of the KL |`, "|---|---|---|---|---|---|---|", ...rows].join("\n");
}

await main(async () => {
  const { values } = parseArgs({
    options: {
      net: { type: "string", default: "mlp" },
      backend: { type: "string", default: "cpu" },
      epochs: { type: "string" },
      steps: { type: "string" },
      follow: { type: "string" },
      against: { type: "string", default: "torch" },
      seed: { type: "string", default: "0" },
      "log-every": { type: "string", default: "50" },
      threads: { type: "string", default: "1" },
      init: { type: "string" },
      activation: { type: "string" },
      out: { type: "string" },
    },
  });
  const { net, backend, against, seed, threads, init } = values;
  if (!NETS[net]) throw new Failure(`--net ${net}: expected ${Object.keys(NETS).join(" or ")}`);
  const activation = values.activation ?? NETS[net].activation;
  if (!["torch", "cpu"].includes(against)) throw new Failure(`--against ${against}: expected torch or cpu`);
  const length = values.steps ? { steps: Number(values.steps) } : { epochs: Number(values.epochs ?? 10) };
  const train = { ...length, logEvery: Number(values["log-every"]) };
  const follow = values.follow && Number(values.follow);
  if (follow && against !== "torch") throw new Failure("--follow: only against torch");
  const out = resolve(values.out ?? join(BENCH, `results/parity-${net}-${backend}-${against}${follow ? "-follow" : ""}.json`));
  const base = out.replace(/\.json$/, "");
  mkdirSync(dirname(out), { recursive: true });

  const folder = follow && `${base}.states`;
  if (folder) rmSync(folder, { recursive: true, force: true }), mkdirSync(folder);
  const keep = (step, file) => writeFileSync(join(folder, `${step}.safetensors`), Buffer.from(file, "base64"));

  say(`${net} on ${backend}`);
  const lab = await openLab();
  let mine, other;
  try {
    const { weights, report } = await ours(lab, { options: model(net, Number(seed), backend, init, activation), train, follow, keep });
    mine = report;
    writeFileSync(`${base}.safetensors`, Buffer.from(weights, "base64"));
    writeFileSync(out, JSON.stringify({ net, seed: Number(seed), batch: BATCH, ours: mine }, null, 1));
    if (against === "cpu") say(`${net} on cpu, from the same file`);
    if (against === "cpu") other = (await ours(lab, { file: weights, backend: "cpu", train })).report;
  } finally {
    await lab.close();
  }
  if (against === "torch") say("reference.py, from the same file");
  other ??= await torch(`${base}.safetensors`, `${base}.reference.json`, { net, activation, seed, threads, train, folder });

  const share = apart(mine.curve, other.curve);
  const apartAt = pairs(mine.epochs, other.epochs).map(([x, y]) => Math.abs(x.negative_elbo - y.negative_elbo));
  const [nats, most] = [apartAt.at(-1), Math.max(...apartAt)];
  const holds = against === "cpu" ? share <= SHARE : nats <= NATS;
  const verdict = `${holds ? "PASS" : "FAIL"}: held-out figures ${nats.toFixed(3)} nat apart at the end, ${most.toFixed(3)} at most${against === "torch" ? ` (bar ${NATS})` : ""}, the curve's means at most ${(100 * share).toFixed(3)} %${against === "cpu" ? ` (bar ${100 * SHARE} %)` : ""}`;
  writeFileSync(out, JSON.stringify({ net, seed: Number(seed), batch: BATCH, against, holds, nats, most, share, ours: mine, other }, null, 1));
  console.log(`\n${net} on ${mine.backend}${mine.adapter ? ` (${mine.adapter})` : ""}, ${mine.parameters} parameters, ${mine.seconds.toFixed(0)} s\n\n${table(mine, other, against)}\n\n${verdict}`);
  if (!holds) process.exitCode = 1;
});
