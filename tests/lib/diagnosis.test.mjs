/** The diagnosis: each finding on a run that has it, none on runs that have not. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { filled } from "../../build/lib/measures/diagnosis.js";
import { Draws } from "../../build/lib/random.js";
import { FINDING_TEXTS, codeUsage, diagnose } from "../../dist/measures.js";
import { about } from "./golden.mjs";

/** Step events of a run; `reconstruction` and `kl` are functions of its share that is done, with noise of `noise` nats each. */
function run({ events = 40, reconstruction, kl, beta = () => 1, noise = 0.5 }) {
  const draws = new Draws(events, 99);
  return Array.from({ length: events }, (_, i) => {
    const done = i / (events - 1);
    const [r, k] = [reconstruction(done) + noise * draws.normal(2 * i), Math.max(0, kl(done) + 0.1 * noise * draws.normal(2 * i + 1))];
    return { step: 50 * (i + 1), loss: r + beta(done) * k, elbo: -(r + k), reconstruction: r, kl: k };
  });
}

const falling = (from, to) => (done) => to + (from - to) * Math.exp(-4 * done);
const HEALTHY = { history: run({ reconstruction: falling(200, 80), kl: (done) => 25 * (1 - Math.exp(-8 * done)) }), klPerDimension: [4, 3, 3, 2, 2, 1] };
const UNMEASURED = { history: HEALTHY.history };
const codes = (symptoms) => diagnose(symptoms).map(({ code }) => code);

/** The use of codes by these counts. */
const usage = (...counts) => codeUsage(Float32Array.from(counts.flatMap((n, code) => Array(n).fill(code))), counts.length);

/** One run for each finding, that has it and no other. */
const SICK = {
  "non-finite": { history: HEALTHY.history.with(7, { step: 400, loss: NaN, elbo: NaN, reconstruction: 80, kl: Infinity }) },
  exploding: { history: run({ reconstruction: (done) => 200 + 4000 * done ** 2, kl: () => 20 }) },
  "posterior-collapse": { history: run({ reconstruction: falling(300, 206), kl: falling(3, 0), noise: 0.3 }), klPerDimension: [0.01, 0.02, 0] },
  "dead-units": { ...HEALTHY, klPerDimension: [4, 3, 0.01, 2, 0, 1] },
  "codebook-collapse": { ...UNMEASURED, codeUsage: usage(990, 4, 3, 3) },
  "dead-codes": { ...UNMEASURED, codeUsage: usage(40, 0, 30, 0) },
  "kl-too-strong": { ...HEALTHY, klPerDimension: [3, 0.01, 0.04, 2, 0, 0], beta: 8 },
  "kl-taking-over": { history: run({ reconstruction: (done) => 90 + 40 * done, kl: (done) => 20 - 12 * done, beta: (done) => 1 + 20 * done }), beta: 21 },
  "kl-too-weak": { ...HEALTHY, klPerDimension: [8, 0.2, 12.5, 9], beta: 0.01 },
  plateau: { history: run({ reconstruction: (done) => 80 + 120 * Math.exp(-40 * done), kl: () => 25 }) },
};

test("a healthy run has no finding", () => {
  assert.deepEqual(diagnose(HEALTHY), []);
  assert.deepEqual(diagnose({ history: HEALTHY.history }), []);
});

test("a run that has barely begun is not judged, unless its numbers are not finite", () => {
  assert.deepEqual(diagnose({ history: [] }), []);
  assert.deepEqual(diagnose({ history: SICK["posterior-collapse"].history.slice(-7) }), []);
  assert.deepEqual(codes({ history: [{ step: 1, loss: NaN, elbo: -1, reconstruction: 1, kl: 0 }] }), ["non-finite"]);
});

test("codes are judged where there are ten vectors for each, and one in ten may rest", () => {
  assert.deepEqual(codes({ ...UNMEASURED, codeUsage: usage(5, 0, 5, 0) }), []);
  assert.deepEqual(codes({ ...UNMEASURED, codeUsage: usage(9, 9, 9, 9, 9, 9, 9, 19, 18, 0) }), []);
  assert.deepEqual(codes({ ...UNMEASURED, codeUsage: usage(9, 9, 9, 9, 9, 9, 19, 27, 0, 0) }), ["dead-codes"]);
  assert.throws(() => diagnose({ ...UNMEASURED, codeUsage: {} }), { code: "invalid-data", path: "codeUsage" });
});

for (const code of Object.keys(FINDING_TEXTS)) {
  describe(code, () => {
    test("is found where it is, alone", () => {
      assert.deepEqual(codes(SICK[code]), [code]);
    });

    test("says the figures it saw, and what to try, with no place left open", () => {
      const [{ message, tryThis, figures }] = diagnose(SICK[code]);
      assert.ok(Object.keys(figures).length > 0 && tryThis.length > 0);
      for (const phrase of [message, ...tryThis]) assert.doesNotMatch(phrase, /[{}]|NaN|undefined/);
      for (const [, name] of FINDING_TEXTS[code].message.matchAll(/\{(\w+)\}/g)) assert.ok(message.includes(filled(`{${name}}`, figures)), name);
      assert.equal(message, filled(FINDING_TEXTS[code].message, figures));
    });
  });
}

test("what is not finite is named where it began, before the sums it spoils", () => {
  const [{ figures }] = diagnose(SICK["non-finite"]);
  assert.deepEqual(figures, { figure: "KL", step: 400 });
});

test("dead units are counted", () => {
  const [{ figures, message }] = diagnose(SICK["dead-units"]);
  assert.deepEqual(figures, { dead: 2, size: 6, active: 4, threshold: 0.05 });
  assert.match(message, /^2 of 6 dimensions .* 0\.05 nats/);
});

test("half of the dimensions dead is too strong a KL above β = 1 alone", () => {
  const { klPerDimension } = SICK["kl-too-strong"];
  assert.deepEqual(codes({ ...HEALTHY, klPerDimension, beta: 1 }), ["dead-units"]);
  assert.deepEqual(codes({ ...HEALTHY, klPerDimension: [3, 3, 2, 0, 0], beta: 8 }), ["dead-units"]);
});

test("a loss that rises with β is not taken for an explosion", () => {
  const history = run({ reconstruction: falling(150, 90), kl: falling(60, 25), beta: (done) => 30 * done });
  assert.ok(history.at(-1).loss > history[0].loss);
  assert.ok(!codes({ history, beta: 30 }).includes("exploding"));
});

test("a loss that was flat from the start is a plateau, and one that rises is not", () => {
  assert.deepEqual(codes({ history: run({ reconstruction: () => 80, kl: () => 25 }) }), ["plateau"]);
  assert.ok(!codes({ history: run({ reconstruction: (done) => 200 - 300 * done + 250 * done ** 2, kl: () => 25 }) }).includes("plateau"));
});

test("a negative loss, as densities give, is judged like any other", () => {
  const shifted = ({ history, ...rest }) => ({ ...rest, history: history.map((e) => ({ ...e, loss: e.loss - 1e4, elbo: e.elbo + 1e4, reconstruction: e.reconstruction - 1e4 })) });
  assert.deepEqual(diagnose(shifted(HEALTHY)), []);
  for (const code of ["exploding", "plateau", "kl-taking-over"]) assert.deepEqual(codes(shifted(SICK[code])), [code]);
});

test("histories and figures that are none are refused", () => {
  const [event] = HEALTHY.history;
  assert.throws(() => diagnose({ history: "none" }), about("history"));
  assert.throws(() => diagnose({ history: [{ ...event, kl: undefined }] }), about("history[0].kl"));
  assert.throws(() => diagnose({ history: [event, null] }), about("history[1].step"));
  assert.throws(() => diagnose({ ...HEALTHY, klPerDimension: [1, NaN] }), about("klPerDimension[1]"));
  assert.throws(() => diagnose({ ...HEALTHY, klPerDimension: [] }), about("klPerDimension"));
  assert.throws(() => diagnose({ ...HEALTHY, beta: -1 }), about("beta", "invalid-option"));
});
