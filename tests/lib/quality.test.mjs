/** What the quality benchmark says of a run: its figures, tables and pictures. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { test } from "node:test";
import { PNG } from "pngjs";
import { EXPERIMENTS, load } from "../../bench/quality/experiments.mjs";
import { fit } from "../../bench/quality/fit.mjs";
import { grid, png } from "../../bench/quality/picture.mjs";
import { bar, cell, failures, markdown } from "../../bench/quality/results.mjs";
import { Vae } from "../../dist/index.js";

test("every experiment of the list is a file that says its name, and reads sets that there are", async () => {
  for (const name of EXPERIMENTS) {
    const experiment = await load(name);
    assert.equal(experiment.name, name);
    assert.ok(experiment.title.length > 0 && typeof experiment.run === "function");
    for (const set of experiment.data) assert.ok(existsSync(new URL(`../../scripts/data/${set}.mjs`, import.meta.url)), set);
  }
});

test("a fit tells the held-out figures of every epoch, those of evaluate at the last", async () => {
  const part = (n) => ({ values: Uint8Array.from({ length: n * 16 }, (_, i) => (i * 37) % 256), shape: [n, 4, 4, 1], labels: new Uint8Array(n) });
  const set = { train: part(48), test: part(8) };
  const model = { encoder: { kind: "mlp", hidden: [8] }, latent: { kind: "gaussian", size: 2 }, likelihood: { kind: "bernoulli" } };
  const lines = [];
  const { vae, epochs } = await fit({ Vae, log: (line) => lines.push(line), model, set, epochs: 3, seed: 5, train: { batchSize: 16 }, label: "small," });
  assert.equal(vae.step, 9);
  assert.equal(epochs.length, 3);
  assert.deepEqual(epochs.at(-1), await vae.evaluate(set.test));
  assert.match(lines[2], /^small, seed 5, epoch 3: −ELBO \d+\.\d\d = \d+\.\d\d \+ \d+\.\d\d$/);
  await vae.dispose();
});

test("cells are means over seeds with the deviation between them", () => {
  assert.deepEqual([cell([1, 3]), cell([2]), cell(2.5), cell([0.01234]), cell("yes"), cell(undefined)], ["2.00 ± 1.41", "2.00", "2.50", "0.0123", "yes", "–"]);
});

test("a report is a table with a column for whatever a row has", () => {
  const rows = [{ row: "a", KL: [1, 3] }, { row: "b", KL: 4, MIG: 0.5 }];
  assert.deepEqual(markdown({ title: "T", machine: "M", epochs: 2, seeds: [0, 1], seconds: 59.6, rows, pictures: ["p.png"] }).split("\n"), [
    "**T**: 2 epochs, seeds 0, 1; M; 60 s.",
    "",
    "|  | KL | MIG |",
    "|---|---|---|",
    "| a | 2.00 ± 1.41 | – |",
    "| b | 4.00 | 0.500 |",
    "",
    "Pictures: p.png",
  ]);
  assert.equal(markdown({ title: "T", failed: "no data" }), "**T**: failed: no data");
});

test("a row says whether it holds to its bar, after its figures, and the rows that do not are named", () => {
  const rows = [{ row: "a", ...bar("below b", true), nats: 1 }, { row: "b", nats: 2 }, { row: "c", nats: 3, ...bar("below a", false) }];
  assert.deepEqual(markdown({ title: "T", machine: "M", epochs: 2, seeds: [0], seconds: 1, rows }).split("\n").slice(2), [
    "|  | nats | bar | holds |",
    "|---|---|---|---|",
    "| a | 1.00 | below b | yes |",
    "| b | 2.00 | – | – |",
    "| c | 3.00 | below a | no |",
  ]);
  assert.deepEqual(failures([{ name: "n", rows }, { name: "m", failed: "no data" }]), ["n, c: below a"]);
});

test("pictures stand side by side, one row over another, with white between", () => {
  const bytes = { values: Uint8Array.of(0, 50, 100, 150), shape: [2, 1, 2, 1] };
  const floats = { values: Float32Array.of(0, 1, 0.2, 2), shape: [2, 1, 2, 1] };
  const { width, height, data } = PNG.sync.read(png([bytes, floats]));
  assert.deepEqual([width, height], [6, 4]);
  const red = Array.from({ length: 24 }, (_, i) => data[4 * i]);
  assert.deepEqual(red, [0, 50, 255, 255, 100, 150, ...new Array(12).fill(255), 0, 255, 255, 255, 51, 255]);
});

test("pictures in colour keep their channels, and only so many stand in a row", () => {
  const { width, data } = grid([{ values: Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8, 9), shape: [3, 1, 1, 3] }], 2);
  assert.equal(width, 4);
  assert.deepEqual([...data.slice(0, 4), ...data.slice(12)], [1, 2, 3, 255, 4, 5, 6, 255]);
});

test("rows of pictures of two sizes are refused", () => {
  assert.throws(() => grid([{ values: new Uint8Array(4), shape: [1, 2, 2, 1] }, { values: new Uint8Array(6), shape: [1, 2, 3, 1] }]), { message: "row 1: pictures of 2 × 3 × 1, in the first row 2 × 2 × 1" });
});
