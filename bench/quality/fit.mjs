/** What experiments are given: the package, the data sets, and the ways of training and of showing that they share. */
import { writeFileSync } from "node:fs";
import { relative } from "node:path";
import { ROOT } from "../../scripts/run.mjs";
import * as data from "../data.mjs";
import { makeJudge } from "./judge.mjs";
import { png } from "./picture.mjs";
import { resultFile } from "./results.mjs";

/**
 * `long`: whether to take the time that a figure worth quoting needs. `measures` is the package's entry of that name. `picture` returns where it
 * wrote, from the project's folder.
 */
export function makeContext({ Vae, measures, name, long, log }) {
  return {
    Vae,
    data,
    measures,
    long,
    log,
    fit: (options) => fit({ Vae, log, ...options }),
    makeJudge: (set) => makeJudge({ Vae, measures, log, set }),
    picture(title, rows) {
      const file = resultFile(name, `-${title}.png`);
      writeFileSync(file, png(rows));
      return relative(ROOT, file);
    },
  };
}

/**
 * Trains a model of `model` on `set.train` for `epochs`, batches of 128 and Adam at 1e-3 unless `train` says otherwise. Gives the model, which
 * the caller disposes of, what it reached on `set.test` after each epoch (`epochs`: { elbo, reconstruction, kl }), its step events (`history`),
 * and `seconds`.
 */
export async function fit({ Vae, log, model, set, epochs, seed = 0, train = {}, label = "" }) {
  const [, height, width, channels] = set.train.shape;
  const vae = await Vae.create({ input: { kind: "image", height, width, channels }, seed, backend: "cpu", worker: false, ...model });
  const [reached, history] = [[], []];
  const start = performance.now();
  for await (const event of vae.train(set.train, { epochs, validation: set.test, ...train })) {
    if (event.kind === "step") history.push(event);
    if (event.kind !== "epoch") continue;
    reached.push(event.validation);
    const { elbo, reconstruction, kl } = event.validation;
    log(`${label} seed ${seed}, epoch ${event.epoch}: −ELBO ${(-elbo).toFixed(2)} = ${reconstruction.toFixed(2)} + ${kl.toFixed(2)}`.trimStart());
  }
  return { vae, epochs: reached, history, seconds: (performance.now() - start) / 1000 };
}
