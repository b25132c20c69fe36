/** The data sets' files are read and written as their formats say, on files of a few bytes. */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, readdirSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { createHash } from "node:crypto";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { PNG } from "pngjs";
import { binarised, dequantised, mirrored, pair, rows } from "../../bench/data.mjs";
import { prepare } from "../../scripts/data.mjs";
import { halved, onWhite, split } from "../../scripts/data/emoji.mjs";
import { formatIdx, parseIdx } from "../../scripts/data/idx.mjs";
import { MNIST_FILES, check, install } from "../../scripts/data/mnist.mjs";

const IMAGES = Buffer.from([0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 3, 1, 2, 3, 4, 5, 6]); // 2 of 1 × 3
const LABELS = Buffer.from([0, 0, 8, 1, 0, 0, 0, 2, 9, 7]);
const md5 = (bytes) => createHash("md5").update(bytes).digest("hex");

async function inFolder(body) {
  const folder = mkdtempSync(join(tmpdir(), "reparam-data-"));
  try {
    await body(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test("IDX bytes are read, gzipped or not, and written back", () => {
  for (const bytes of [IMAGES, gzipSync(IMAGES)]) assert.deepEqual(parseIdx(bytes, "images"), { values: Uint8Array.of(1, 2, 3, 4, 5, 6), shape: [2, 1, 3] });
  assert.deepEqual(formatIdx(parseIdx(IMAGES, "images")), IMAGES);
});

test("IDX bytes that are cut, too long or of another type are refused by name", () => {
  assert.throws(() => parseIdx(IMAGES.subarray(0, -1), "images"), { message: "images: 5 values, expected 6 (2 × 1 × 3)" });
  assert.throws(() => parseIdx(Buffer.concat([IMAGES, LABELS]), "images"), { message: "images: 16 values, expected 6 (2 × 1 × 3)" });
  for (const length of [0, 3, 7]) assert.throws(() => parseIdx(IMAGES.subarray(0, length), "images"), { message: "images: not an IDX file of bytes" });
  const floats = Buffer.from(IMAGES);
  floats[2] = 0x0d;
  assert.throws(() => parseIdx(floats, "images"), { message: "images: not an IDX file of bytes" });
});

test("a file is in order when its shape and its MD5 are those published", () => {
  check("labels", LABELS, [2], md5(LABELS));
  assert.throws(() => check("labels", LABELS, [3], md5(LABELS)), { message: "labels: 2 values, expected 3" });
  assert.throws(() => check("labels", LABELS, [2], md5(IMAGES)), { message: `labels: MD5 ${md5(LABELS)}, expected ${md5(IMAGES)}` });
});

test("nothing is put in place of a file that is not in order", () =>
  inFolder((folder) => {
    for (const name of Object.keys(MNIST_FILES)) writeFileSync(join(folder, name), LABELS);
    const to = join(folder, "to");
    assert.throws(() => install({ from: folder, to, md5: {}, log: () => {} }), { message: "train-images-idx3-ubyte: 2 values, expected 60000 × 28 × 28" });
    assert.deepEqual(readdirSync(to), []);
  }));

test("a file that is newer than its source is left alone", () =>
  inFolder((folder) => {
    const to = join(folder, "to");
    for (const name of Object.keys(MNIST_FILES)) writeFileSync(join(folder, name), "");
    assert.throws(() => install({ from: folder, to, md5: {}, log: () => {} }));
    for (const name of Object.keys(MNIST_FILES)) writeFileSync(join(to, `${name}.gz`), "kept");
    assert.deepEqual(install({ from: folder, to, md5: {}, log: () => {} }), []);
    const [first] = Object.keys(MNIST_FILES);
    utimesSync(join(folder, first), Date.now() / 1000 + 60, Date.now() / 1000 + 60);
    assert.throws(() => install({ from: folder, to, md5: {}, log: () => {} }), /train-images/);
    assert.equal(readFileSync(join(to, `${first}.gz`), "utf8"), "kept");
  }));

test("images come with their labels and with channels, and rows of them without a copy", () =>
  inFolder((folder) => {
    const [images, labels] = [join(folder, "images"), join(folder, "labels")];
    writeFileSync(images, gzipSync(IMAGES));
    writeFileSync(labels, LABELS);
    const part = pair(images, labels);
    assert.deepEqual(part, { values: Uint8Array.of(1, 2, 3, 4, 5, 6), shape: [2, 1, 3, 1], labels: Uint8Array.of(9, 7) });
    assert.deepEqual(rows(part, 1, 2), { values: Uint8Array.of(4, 5, 6), shape: [1, 1, 3, 1], labels: Uint8Array.of(7) });
    assert.equal(rows(part, 1, 2).values.buffer, part.values.buffer);
    writeFileSync(labels, formatIdx({ values: Uint8Array.of(1, 2, 3), shape: [3] }));
    assert.throws(() => pair(images, labels), { message: `${labels}: 3 labels, expected 2` });
  }));

test("a picture with transparency is laid over white", () => {
  const png = new PNG({ width: 4, height: 1 });
  png.data.set([10, 20, 30, 255, 10, 20, 30, 0, 0, 100, 200, 51, 255, 255, 255, 128]);
  const { data } = PNG.sync.read(PNG.sync.write(png));
  // 51/255 = 1/5: 0 → 204, 100 → 224, 200 → 244
  assert.deepEqual(onWhite(data), Uint8Array.of(10, 20, 30, 255, 255, 255, 204, 224, 244, 255, 255, 255));
});

test("pictures are halved by means of 2 × 2, each channel and each picture by itself", () => {
  const one = [0, 100, 4, 100, 8, 100, 0, 200]; // 2 × 2 of 2 channels: means 3 and 125
  const two = Array.from({ length: 16 }, (_, i) => [1, 2, 5, 6].includes(i) ? 10 : i); // 4 × 4 of 1 channel
  assert.deepEqual(halved(Uint8Array.from([...one, ...one.map((v) => v + 1)]), 2, 2), Uint8Array.of(3, 125, 4, 126));
  assert.deepEqual(halved(Uint8Array.from(two), 4, 1), Uint8Array.from([(0 + 10 + 4 + 10) / 4, (10 + 3 + 10 + 7) / 4, (8 + 9 + 12 + 13) / 4, (10 + 11 + 14 + 15) / 4].map(Math.round)));
});

test("a tenth is held out, the same for a seed, in an order that new entries leave as it is", () => {
  const entries = Array.from({ length: 200 }, (_, i) => ({ unified: i.toString(16) }));
  const { train, test: held } = split(entries);
  assert.deepEqual([train.length, held.length], [180, 20]);
  assert.deepEqual(new Set([...train, ...held]), new Set(entries));
  assert.deepEqual(split(entries), split(entries.toReversed()));
  assert.notDeepEqual(split(entries, 1).test, held);
  const more = split([...entries, { unified: "new" }]);
  const order = ({ test: first, train: rest }) => [...first, ...rest];
  assert.deepEqual(order(more).filter(({ unified }) => unified !== "new"), order(split(entries)));
});

test("a data set that there is not is refused in a sentence", async () => {
  await assert.rejects(prepare("faces"), { message: "There is no data set faces: there are digits, fashion, emoji." });
});

test("a mirrored part has every picture twice, the second time with its columns the other way round", () => {
  const part = { values: Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12), shape: [2, 1, 3, 2], labels: Uint8Array.of(8, 9) };
  const { values, shape, labels } = mirrored(part);
  assert.deepEqual(shape, [4, 1, 3, 2]);
  assert.deepEqual([...values], [...part.values, 5, 6, 3, 4, 1, 2, 11, 12, 9, 10, 7, 8]);
  assert.deepEqual([...labels], [8, 9, 8, 9]);
});

test("binarised grey values are 0 or 255 with their own probability, the same for the same seed", () => {
  const n = 60_000;
  const part = { values: Uint8Array.from({ length: n }, (_, i) => [0, 51, 255][i % 3]), shape: [n, 1, 1, 1], labels: new Uint8Array(n) };
  const { values, shape } = binarised(part, 3);
  const counts = [0, 0, 0];
  values.forEach((value, i) => {
    assert.ok(value === 0 || value === 255);
    if (value === 255) counts[i % 3]++;
  });
  assert.deepEqual([counts[0], counts[2], shape], [0, n / 3, part.shape]);
  assert.ok(Math.abs(counts[1] / (n / 3) - 0.2) < 0.0113, `${counts[1]} of ${n / 3}`); // four standard deviations of a share of 20,000
  assert.deepEqual(binarised(part, 3).values, values);
  assert.notDeepEqual(binarised(part, 4).values, values);
});

test("dequantised bytes lie in their own share of 0 … 1, evenly", () => {
  const n = 40_000;
  const part = { values: Uint8Array.from({ length: n }, (_, i) => i % 256), shape: [n, 1, 1, 1], labels: new Uint8Array(n) };
  const { values } = dequantised(part, 5);
  const rests = Float64Array.from(values, (value, i) => 256 * value - part.values[i]);
  assert.ok(values instanceof Float32Array && rests.every((rest) => rest >= 0 && rest <= 1));
  const mean = rests.reduce((a, b) => a + b) / n;
  assert.ok(Math.abs(mean - 0.5) < 0.0058, `${mean}`); // four standard deviations of the mean of 40,000 uniform draws
});
