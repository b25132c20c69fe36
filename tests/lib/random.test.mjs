/** The random words of the package are those of the core. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { seedWords, threefry2x32, word } from "../../build/lib/random.js";

const { kat_vectors, more } = JSON.parse(readFileSync(new URL("../golden/threefry.json", import.meta.url), "utf8"));

test("threefry gives its published known answers, and those of the reference", () => {
  assert.equal(kat_vectors.length, 3);
  for (const { key, counter, output } of [...kat_vectors, ...more]) assert.deepEqual(threefry2x32(key, counter), output);
});

test("a seed is two words, low first", () => {
  assert.deepEqual(seedWords(7), [7, 0]);
  assert.deepEqual(seedWords(2 ** 53 - 1), [0xffffffff, 0x1fffff]);
});

test("a word is the first of the block whose key is the seed with the stream spread over its high half", () => {
  const spread = Number((3n * 0x9e3779b9n) & 0xffffffffn); // as u32::wrapping_mul
  assert.equal(word([5, 6], 3, 11, 12), threefry2x32([5, (6 ^ spread) >>> 0], [11, 12])[0]);
});
