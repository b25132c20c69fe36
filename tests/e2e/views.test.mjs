/** The playground's views: each shows what its name says, from a small model on the real digits. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { usePlayground } from "./playground.mjs";
import { withoutLongTasks } from "./tasks.mjs";

const site = usePlayground();
const TIMEOUT = { timeout: 180_000 };
const distinct = (tiles) => new Set(tiles).size;

test("samples come from the sampler that is chosen, with its temperature and truncation", TIMEOUT, async () => {
  const playground = await site.open();
  await playground.unfold();
  await playground.step();
  assert.ok(distinct(await playground.tiles("samples", 8)) > 32);
  await playground.changes("samples", 8, () => playground.get("truncation").selectOption("0.5"));
  const centre = await playground.changes("samples", 8, () => playground.slide("temperature", 0));
  assert.equal(distinct(centre), 1, "at temperature 0 all are the prior's centre");
  const mean = await playground.changes("samples", 8, () => playground.get("sampler").selectOption("gaussian"));
  assert.equal(distinct(mean), 1, "at temperature 0 all are the codes' mean");
  assert.notEqual(mean[0], centre[0]);
  const means = await playground.changes("samples", 8, () => playground.get("sampler").selectOption("mixture"));
  assert.ok(distinct(means) > 1 && distinct(means) <= 10, `${distinct(means)} means of ten components`);
  await playground.isQuiet();
  await playground.page.close();
});

test("a conditional model shows ten digits at one z, and guidance 0 takes the label away", TIMEOUT, async () => {
  const playground = await site.open({ condition: "class" });
  assert.equal(await playground.page.locator("vae-classes").isVisible(), true);
  for (let i = 0; i < 3; i++) await playground.step();
  const told = await playground.tiles("classes", 11);
  assert.equal(distinct(told), 33, "three digits, and ten classes of each");
  const untold = await playground.changes("classes", 11, () => playground.slide("guidance", 0));
  for (const row of [0, 1, 2]) assert.equal(distinct(untold.slice(11 * row + 1, 11 * row + 11)), 1, `row ${row}`);
  const others = await playground.changes("classes", 11, () => playground.get("new-lenders").click());
  assert.notEqual(others[0], untold[0]);
  await playground.isQuiet();
  await playground.page.close();
});

test("a walk keeps its start when its end is another, and traversals meet at their base", TIMEOUT, async () => {
  const playground = await site.open();
  assert.equal(await playground.page.locator("vae-classes").isVisible(), false);
  await playground.step();
  const walk = await playground.tiles("walk", 10);
  assert.equal(distinct(walk), 10);
  const other = await playground.changes("walk", 10, () => playground.get("walk-to").selectOption("1"));
  assert.equal(other[0], walk[0]);
  assert.notEqual(other[9], walk[9]);
  const rows = await playground.tiles("traversal", 9);
  assert.equal(rows.length, 4 * 9, "a row for each of 4 dimensions");
  assert.equal(distinct([0, 1, 2, 3].map((row) => rows[9 * row + 4])), 1, "the middles are the base");
  assert.equal(distinct(rows.slice(0, 9)), 9);
  const active = Number(await playground.get("active-units").getAttribute("data-value"));
  assert.ok(active >= 0 && active <= 4, `${active} active units`);
  await playground.isQuiet();
  await playground.page.close();
});

test("the diagnosis says in both languages that a large β has silenced the code", TIMEOUT, async () => {
  const playground = await site.open({ "objective.beta": "1000" });
  for (let i = 0; i < 12; i++) await playground.step();
  const finding = playground.page.locator(".findings > li").first();
  await finding.waitFor();
  assert.match(await finding.innerText(), /KL/);
  assert.match(await finding.innerText(), /β/);
  const english = await finding.innerText();
  await playground.get("lang").selectOption("fr");
  await playground.page.getByText("À essayer :").first().waitFor();
  assert.match(await finding.innerText(), /Abaissez|Faites monter/);
  assert.notEqual(await finding.innerText(), english);
  await playground.isQuiet();
  await playground.page.close();
});

test("no task of the page is longer than 50 ms while a conditional model trains with every view in sight", TIMEOUT, async () => {
  const playground = await site.open({ condition: "class", objective: "tcvae", "latent.size": "20", "encoder.hidden": "100" });
  const { page } = playground;
  await playground.unfold();
  await playground.changes("samples", 8, () => playground.get("sampler").selectOption("mixture"));
  await withoutLongTasks(page, async () => {
    await playground.get("play").click();
    const end = Date.now() + 60_000;
    while ((await playground.steps()) < 60) {
      assert.ok(Date.now() < end, `${await playground.steps()} steps`);
      await page.waitForTimeout(500);
    }
    await page.waitForFunction(() => document.querySelector("vae-settings").studio.pictures.classes !== null);
  });
  await playground.isQuiet();
  await page.close();
});

const TWO_GRIDS = { encoder: "conv", "encoder.channels": "8", "encoder.hidden": "" };

for (const kind of ["vq", "vq2", "fsq"])
  test(`a model of codes (${kind}) is shown by its samples and its walk, without what only a Gaussian has`, TIMEOUT, async () => {
    const playground = await site.open({ latent: kind, ...(kind === "vq2" && TWO_GRIDS), ...(kind.startsWith("vq") && { "latent.codes": "16", "latent.size": "4" }) });
    await playground.step();
    assert.ok(distinct(await playground.tiles("samples", 8)) > 8);
    assert.ok((await playground.tiles("walk", 10)).length >= 10);
    for (const name of ["vae-units", "vae-traversal", "vae-latent"]) assert.equal(await playground.page.locator(name).isVisible(), false, name);
    assert.equal(await playground.get("failure").count(), 0);
    await playground.isQuiet();
    await playground.page.close();
  });
