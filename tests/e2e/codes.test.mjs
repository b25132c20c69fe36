/** The playground's view of a model of codes: its codebook, maps of codes, their use, the prior over them, samples and completions. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { usePlayground } from "./playground.mjs";
import { withoutLongTasks } from "./tasks.mjs";

const site = usePlayground();
const TIMEOUT = { timeout: 240_000 };
const TINY = {
  ...{ encoder: "conv", "encoder.channels": "4,8", "encoder.hidden": "", latent: "vq", "latent.codes": "16", "latent.size": "4" },
  ...{ "codePrior.channels": "4", "codePrior.layers": "1", "codePrior.steps": "40" },
};
const distinct = (tiles) => new Set(tiles).size;
/** Once it is shown. */
async function figure(playground, id) {
  await playground.page.locator(`[data-testid=${id}][data-value]`).waitFor();
  return Number(await playground.get(id).getAttribute("data-value"));
}
const coded = (page, read) => page.evaluate(`(${read})(document.querySelector("vae-settings").studio.pictures.coded)`);

/** Until the codebook is that of the codes, and stays for a second. */
function rests(page) {
  const isStill = () => {
    const { book, usages } = document.querySelector("vae-settings").studio.pictures.coded;
    const before = window.bookBefore;
    window.bookBefore = book;
    return book !== null && book === before && book.usage === usages[0];
  };
  return page.waitForFunction(isStill, null, { polling: 1000, timeout: 60_000 });
}

/** Until the prior has reached its goal. */
async function trainPrior(playground) {
  await playground.get("prior-train").click();
  await playground.page.waitForFunction(() => document.querySelector("vae-settings").studio.run.phase === "prior");
  await playground.page.waitForFunction(() => document.querySelector("vae-settings").studio.run.phase === "ready", null, { timeout: 120_000 });
}

test("a model of codes shows its codebook, its maps and how its codes are used, and the code under the cursor everywhere", TIMEOUT, async () => {
  const playground = await site.open(TINY);
  const { page } = playground;
  for (let i = 0; i < 2; i++) await playground.step();
  await rests(page);
  const { codes, counts, grid } = await coded(page, (c) => ({ codes: c.book.codes, counts: [...c.book.usage.counts], grid: c.grid }));
  assert.deepEqual(grid, { rows: 7, cols: 7, levels: 1, codes: 16, isPicture: true });
  assert.deepEqual([...codes].sort((a, b) => a - b), Array.from({ length: 16 }, (_, i) => i));
  assert.equal(counts.reduce((a, b) => a + b), 2000 * 49);
  assert.ok(codes.every((code, i) => i === 0 || counts[codes[i - 1]] >= counts[code]), "the most used come first");
  assert.equal(await figure(playground, "used"), counts.filter((n) => n > 0).length);
  const entropy = counts.reduce((sum, n) => (n === 0 ? sum : sum - (n / 98_000) * Math.log(n / 98_000)), 0);
  assert.ok(Math.abs((await figure(playground, "perplexity")) - Math.exp(entropy)) < 1e-9);
  assert.ok((await figure(playground, "mse")) > 0);

  const book = page.locator("vae-codebook .tiles");
  await book.focus();
  for (const key of ["ArrowRight", "ArrowRight"]) await page.keyboard.press(key);
  assert.equal(await coded(page, (c) => c.selected), codes[1]);
  await page.waitForFunction((code) => document.querySelector("[data-testid=code]").textContent.includes(String(code)), codes[1]);
  await playground.get("maps").focus();
  await page.keyboard.press("ArrowRight");
  const [first, second] = await coded(page, (c) => [c.selected, c.maps.indices[1]]);
  assert.equal(first, second);
  await page.keyboard.press("Escape");
  assert.equal(await coded(page, (c) => c.selected), null);
  await page.locator("vae-maps .map").first().hover({ position: { x: 3, y: 3 } });
  assert.equal(await coded(page, (c) => c.selected === c.maps.indices[0]), true);

  for (const name of ["vae-units", "vae-traversal", "vae-latent", "vae-classes"]) assert.equal(await page.locator(name).isVisible(), false, name);
  assert.doesNotMatch(await page.locator("main").innerText(), /τ²|sphere|N\(0/);
  await playground.isQuiet();
  await page.close();
});

test("a prior is trained over the codes of a model that stands still, and samples and completions are drawn from it, in both languages", TIMEOUT, async () => {
  const playground = await site.open(TINY);
  const { page } = playground;
  assert.equal(await playground.get("prior-train").isDisabled(), true, "an untrained model has no codes to learn");
  await playground.step();
  assert.match(await page.locator("vae-samples").innerText(), /No prior is learnt/);
  assert.equal(await playground.get("temperature").count(), 0);
  assert.ok(await playground.get("completion-empty").isVisible());
  await playground.get("play").click();
  await page.getByText("Pause the model to train the prior").waitFor();
  assert.equal(await playground.get("prior-train").isDisabled(), true);
  await playground.get("pause").click();
  await playground.ready();

  await playground.get("prior-train").click();
  await page.waitForFunction(() => document.querySelector("vae-settings").studio.run.phase === "prior");
  await page.getByText("Training the prior").first().waitFor();
  assert.deepEqual([await playground.get("play").isDisabled(), await playground.get("step-once").isDisabled()], [true, true], "one training at a time");
  const stood = await playground.steps();
  await page.waitForFunction(() => document.querySelector("vae-settings").studio.run.phase === "ready", null, { timeout: 120_000 });
  assert.equal(await playground.steps(), stood, "the model stood still");
  assert.equal(await figure(playground, "bits-uniform"), 4);
  const [training, heldOut] = [await figure(playground, "bits-training"), await figure(playground, "bits-held-out")];
  assert.ok(training < 4 && heldOut < 4 && heldOut > 0, `${training} and ${heldOut} bits`);

  const drawn = await playground.tiles("samples", 8);
  assert.ok(distinct(drawn) > 32);
  const even = await playground.changes("samples", 8, () => playground.get("sampler").selectOption({ index: 1 }));
  assert.notDeepEqual(even, drawn);
  await playground.changes("samples", 8, () => playground.get("sampler").selectOption({ index: 0 }));
  await playground.changes("samples", 8, () => playground.get("class").selectOption({ index: 4 }));
  const sure = await playground.changes("samples", 8, () => playground.get("top-k").selectOption({ index: 1 }));
  assert.equal(distinct(sure), 1, "the likeliest code everywhere, of one class");
  await playground.changes("samples", 8, () => playground.get("top-k").selectOption({ index: 3 }));
  await playground.changes("samples", 8, () => playground.get("top-p").selectOption("0.5"));
  const cold = await playground.changes("samples", 8, () => playground.slide("temperature", 0));
  assert.equal(distinct(cold), 1);
  await playground.changes("samples", 8, () => playground.slide("temperature", 1));
  const halves = await playground.tiles("completion", 8);
  assert.equal(halves.length, 3 * 8);
  const others = await playground.changes("completion", 8, () => playground.get("new-completed").click());
  assert.notEqual(others[0], halves[0]);

  await playground.step();
  await playground.get("prior-stale").waitFor();
  await playground.get("lang").selectOption("fr");
  await page.getByText("Le modèle a continué à apprendre").waitFor();
  for (const words of ["Le dictionnaire", "Cartes de codes", "Une loi a priori sur les codes", "Un demi-chiffre, achevé", "L’emploi des codes"]) await page.getByText(words, { exact: true }).waitFor();
  await trainPrior(playground);
  await playground.get("prior-stale").waitFor({ state: "detached" });
  assert.equal(await page.evaluate(() => document.querySelector("vae-settings").studio.run.model.info.prior.step), 80, "it went on");
  await playground.isQuiet();
  await page.close();
});

test("a prior can be paused, another network takes its place, and the address and a file keep it", TIMEOUT, async () => {
  const playground = await site.open(TINY);
  const { page } = playground;
  await playground.step();
  await page.evaluate(() => document.querySelectorAll("vae-prior details").forEach((each) => (each.open = true)));
  await playground.get("codePrior-steps").fill("100000");
  await playground.get("codePrior-steps").press("Tab");
  await playground.get("prior-train").click();
  await page.waitForFunction(() => document.querySelector("vae-settings").studio.run.prior.step >= 10, null, { timeout: 120_000 });
  await playground.get("prior-pause").click();
  await playground.ready();
  assert.ok((await page.evaluate(() => document.querySelector("vae-settings").studio.run.prior.step)) < 100_000);
  await playground.get("kind-codePrior").selectOption("transformer");
  for (const [name, value] of [["width", "8"], ["heads", "2"], ["layers", "1"], ["steps", "20"]]) {
    await playground.get(`codePrior-${name}`).fill(value);
    await playground.get(`codePrior-${name}`).press("Tab");
  }
  assert.equal(await playground.steps(), 10, "the model is as it was");
  await trainPrior(playground);
  const chosen = await playground.config();
  assert.deepEqual(chosen.codePrior, { kind: "transformer", width: 8, heads: 2, layers: 1, steps: 20 });
  assert.deepEqual(await page.evaluate(() => { const { kind, step } = document.querySelector("vae-settings").studio.run.model.info.prior; return { kind, step }; }), { kind: "transformer", step: 20 });
  const judged = await figure(playground, "bits-held-out");
  const bytes = await page.evaluate(async () => Array.from(await document.querySelector("vae-settings").studio.save()));
  await page.reload();
  await playground.ready();
  assert.deepEqual(await playground.config(), chosen);
  await page.evaluate((bytes) => document.querySelector("vae-settings").studio.load(Uint8Array.from(bytes)), bytes);
  await page.waitForFunction(() => document.querySelector("vae-settings").studio.pictures.coded.completions);
  assert.deepEqual({ ...(await playground.config()).codePrior, steps: 20 }, chosen.codePrior);
  assert.equal(await figure(playground, "bits-held-out"), judged, "it is worth what it was");
  await playground.isQuiet();
  await page.close();
});

test("the preset makes 7 × 7 codes, keeps to what a model of codes takes, and a dense encoder has eight", TIMEOUT, async () => {
  const playground = await site.open({ objective: "tcvae" });
  const { page } = playground;
  await playground.get("preset-codes").click();
  await playground.chosen("latent", "vq");
  await playground.get("preset-codes").and(page.locator("[aria-pressed=true]")).waitFor(); // the page draws after it has chosen
  assert.equal((await playground.config()).objective.kind, "elbo");
  assert.deepEqual(await coded(page, ({ grid: { rows, cols, codes } }) => [rows, cols, codes]), [7, 7, 64]);
  assert.equal(await playground.get("latent-positions").count(), 0, "the grid says how many there are");
  await page.locator("input[name=encoder][value=mlp]").check({ force: true });
  await playground.chosen("encoder", "mlp");
  assert.equal(await playground.get("latent-positions").inputValue(), "8");
  assert.deepEqual(await coded(page, ({ grid: { rows, cols } }) => [rows, cols]), [1, 8]);
  await playground.isQuiet();
  await page.close();
});

test("dead codes are told of, with what to try", TIMEOUT, async () => {
  const playground = await site.open({ ...TINY, "latent.codes": "256", "latent.restart": "false", learningRate: "0.01" });
  for (let i = 0; i < 9; i++) await playground.step();
  const finding = playground.page.locator("[data-testid=finding-dead-codes], [data-testid=finding-codebook-collapse]").first();
  await finding.waitFor({ timeout: 60_000 });
  assert.match(await finding.innerText(), /restart/);
  assert.ok((await figure(playground, "used")) < 0.9 * 256);
  await playground.isQuiet();
  await playground.page.close();
});

test("no task of the page is longer than 50 ms while a model of codes trains, then its prior", TIMEOUT, async () => {
  const playground = await site.open(TINY);
  const { page } = playground;
  await playground.step();
  await withoutLongTasks(page, async () => {
    await playground.get("play").click();
    await page.waitForTimeout(4000);
    await playground.get("pause").click();
    await playground.ready();
    await trainPrior(playground);
  });
  await playground.isQuiet();
  await page.close();
});
