/** The playground's controls: each does what it says, refusals are told, and the address keeps what was chosen. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { usePlayground } from "./playground.mjs";

const site = usePlayground();
const TIMEOUT = { timeout: 180_000 };

test("an objective's terms are drawn, and a live parameter moves them without a new model", TIMEOUT, async () => {
  const playground = await site.open();
  await playground.unfold();
  assert.equal(await playground.page.locator("vae-terms").isVisible(), false);
  await playground.choose("objective", "tcvae");
  await playground.step();
  await playground.get("term-total_correlation").locator("canvas").waitFor();
  await playground.choose("objective", "elbo");
  await playground.choose("balance", "free_bits");
  await playground.step();
  await playground.get("balance-nats").fill("1000");
  await playground.page.waitForTimeout(300); // drawn again meanwhile: what is typed stays
  await playground.get("balance-nats").press("Tab");
  await playground.step();
  assert.equal(await playground.steps(), 20, "the model went on");
  const floored = await playground.page.evaluate(() => document.querySelector("vae-settings").studio.run.report.terms.floored_kl);
  assert.ok(Math.abs(floored - 4 * 1000) < 1, `${floored} nats: a floor of 1000 for each of 4 dimensions`);
  assert.equal(await playground.get("term-total_correlation").count(), 0, "the earlier objective's terms are gone");
  await playground.isQuiet();
  await playground.page.close();
});

test("flows and learnt priors add parameters, ladders and categories other codes", TIMEOUT, async () => {
  const playground = await site.open();
  await playground.unfold();
  const bars = async (n) => playground.page.waitForFunction((n) => document.querySelector("[data-testid=units]").dataset.bars === String(n), n);
  const plain = await playground.parameters();
  await bars(4);
  await playground.choose("flow", "iaf");
  const flowing = await playground.parameters();
  assert.ok(flowing > plain, `${flowing} and ${plain}`);
  await playground.choose("prior", "vamp");
  assert.ok((await playground.parameters()) > flowing);
  await playground.choose("latent", "ladder");
  await bars(40);
  assert.equal(await playground.get("kind-flow").count(), 0, "no flow of a ladder");
  await playground.choose("latent", "categorical");
  await bars(20);
  assert.equal(await playground.page.locator("vae-latent").isVisible(), false);
  await playground.isQuiet();
  await playground.page.close();
});

test("what the core refuses is told beside its control, and can be had with a change elsewhere", TIMEOUT, async () => {
  const playground = await site.open({ objective: "tcvae" });
  await playground.unfold();
  await playground.step();
  await playground.get("kind-flow").selectOption("iaf");
  await playground.get("refusal").waitFor();
  const near = playground.page.locator(".kind", { has: playground.get("kind-flow") });
  assert.match(await near.getByTestId("refusal").innerText(), /plain Gaussian/);
  assert.equal(await playground.get("kind-flow").inputValue(), "none");
  assert.deepEqual([await playground.steps(), (await playground.config()).flow.kind], [10, "none"], "the model is as it was");
  await playground.get("lang").selectOption("fr");
  await playground.page.getByText("gaussien simple").waitFor();
  await playground.get("remedy").click();
  await playground.page.waitForFunction(() => document.querySelector("vae-settings").studio.config.flow.kind === "iaf");
  assert.equal((await playground.config()).objective.kind, "elbo");
  await playground.get("refusal").waitFor({ state: "detached" });
  await playground.ready();
  await playground.step();
  await playground.get("flow-layers").fill("1000");
  await playground.get("flow-layers").press("Tab");
  await playground.page.getByText("« 1000 »").waitFor();
  assert.equal((await playground.config()).flow.layers, 4);
  await playground.isQuiet();
  await playground.page.close();
});

test("the address, a reload and a saved file keep every choice", TIMEOUT, async () => {
  const playground = await site.open();
  await playground.unfold();
  await playground.choose("likelihood", "gaussian");
  await playground.get("likelihood-scale").selectOption({ index: 3 });
  await playground.ready();
  for (const [section, kind] of [["objective", "infovae"], ["balance", "linear"], ["prior", "standard"], ["condition", "class"], ["ema", "average"]]) await playground.choose(section, kind);
  await playground.get("objective-lambda").fill("7");
  await playground.get("objective-lambda").press("Tab");
  const chosen = await playground.config();
  assert.deepEqual([chosen.likelihood.scale, chosen.objective.lambda, chosen.condition.kind, chosen.ema.decay], ["optimal", 7, "class", 0.999]);
  await playground.page.reload();
  await playground.ready();
  assert.deepEqual(await playground.config(), chosen);
  assert.equal(await playground.get("more").getAttribute("open"), "", "what differs is not hidden");
  await playground.step();
  const bytes = await playground.page.evaluate(async () => Array.from(await document.querySelector("vae-settings").studio.save()));
  const other = await site.open();
  await other.page.evaluate((bytes) => document.querySelector("vae-settings").studio.load(Uint8Array.from(bytes)), bytes);
  await other.page.waitForFunction(() => document.querySelector("vae-settings").studio.run.step === 10);
  const { batchSize, learningRate, backend, ...model } = chosen;
  const loaded = await other.config();
  for (const name of Object.keys(model)) assert.deepEqual(loaded[name], model[name], name);
  for (const each of [playground, other]) {
    await each.isQuiet();
    await each.page.close();
  }
});
