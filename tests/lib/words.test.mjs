/** The playground has words, in each of its languages, for all that can be chosen. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { SAMPLER_CATALOGUE } from "../../build/lib/samplers/index.js";
import { FINDING_TEXTS } from "../../build/lib/measures/index.js";
import { Vae } from "../../dist/index.js";

const read = (name) => JSON.parse(readFileSync(new URL(`../../www/site/words/${name}`, import.meta.url), "utf8"));
const LANGUAGES = ["en", "fr"];
const wasm = readFileSync(new URL("../../dist/reparam_bg.wasm", import.meta.url));
const catalogue = await Vae.catalogue({ wasm });
const YEAR = /\b(1[6-9]|20)\d\d\b/;

/** Each kind as "section.kind", and each parameter as the keys under which its words may stand. */
function* everyKey() {
  for (const [section, kinds] of Object.entries(catalogue))
    for (const { kind, parameters } of kinds) {
      yield [`${section}.${kind}`];
      for (const { name } of parameters) yield [`${section}.${kind}.${name}`, `${section}.${name}`];
    }
}

/** The names of what every objective and every balance reports beside reconstruction and KL, from two steps of each. */
async function termNames() {
  const options = { input: { kind: "vector", size: 4 }, encoder: { kind: "mlp", hidden: [4] }, latent: { kind: "gaussian", size: 2 }, likelihood: { kind: "bernoulli" } };
  const data = { values: Uint8Array.from({ length: 32 }, (_, i) => 8 * i), shape: [8, 4] };
  const given = { geco: { reconstruction: 2 } };
  const choices = ["objective", "balance"].flatMap((section) => catalogue[section].map(({ kind }) => ({ [section]: { kind, ...given[kind] } })));
  const names = new Set();
  for (const choice of choices) {
    const vae = await Vae.create({ ...options, ...choice, backend: "cpu", worker: false, wasm });
    for await (const event of vae.train(data, { steps: 2, batchSize: 8, logEvery: 1 })) Object.keys(event.terms ?? {}).forEach((name) => names.add(name));
    await vae.dispose();
  }
  return names;
}

const terms = await termNames();

for (const language of LANGUAGES) {
  const table = read(`choices.${language}.json`);

  test(`every kind and parameter of the catalogue has a name and a sentence with its source in ${language}`, () => {
    for (const keys of everyKey()) {
      const word = keys.map((key) => table[key]).find(Boolean);
      assert.ok(word?.name, `no words for ${keys[0]} in ${language}`);
      assert.match(word.text ?? "", /\.$/, `${keys[0]} has no sentence in ${language}`);
      assert.match(word.text, YEAR, `${keys[0]} names no source in ${language}`);
    }
  });

  test(`every word that a parameter may be set to has a name in ${language}`, () => {
    for (const kinds of Object.values(catalogue))
      for (const { parameters } of kinds)
        for (const { choices = [] } of parameters) for (const choice of choices) assert.ok(table[`value.${choice}`]?.name, `no words for ${choice} in ${language}`);
  });

  test(`every term that an objective or a balance reports has a name and a sentence in ${language}`, () => {
    assert.ok(terms.has("total_correlation") && terms.has("multiplier"), [...terms].join(", "));
    for (const name of terms) assert.match(table[`term.${name}`]?.text ?? "", YEAR, `no words for the term ${name} in ${language}`);
  });

  test(`every sampler has a name and a sentence in ${language}`, () => {
    const page = read(`${language}.json`);
    for (const { kind } of SAMPLER_CATALOGUE.filter(({ kind }) => kind !== "normal")) for (const key of [`sampler.${kind}`, `sampler.${kind}.text`]) assert.ok(page[key], `no words for ${key}`);
  });
}

test("the two languages have the same words, with the same figures in them", () => {
  const figures = (phrase) => [...phrase.matchAll(/\{\w+\}/g)].map(String).sort();
  for (const name of ["", "choices."]) {
    const [en, fr] = LANGUAGES.map((language) => read(`${name}${language}.json`));
    assert.deepEqual(Object.keys(fr).sort(), Object.keys(en).sort());
    if (name === "") for (const key of Object.keys(en)) assert.deepEqual(figures(fr[key]), figures(en[key]), key);
  }
});

test("the French diagnosis has every finding, with the figures of the English", () => {
  const french = read("findings.fr.json");
  const figures = (text) => [...new Set([text.message, ...text.tryThis].join(" ").match(/\{\w+\}/g))].sort();
  assert.deepEqual(Object.keys(french).sort(), Object.keys(FINDING_TEXTS).sort());
  for (const [code, text] of Object.entries(FINDING_TEXTS)) assert.deepEqual(figures(french[code]), figures(text), code);
});
