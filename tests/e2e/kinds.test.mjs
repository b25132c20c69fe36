/** Every kind that the playground offers trains there on the real digits, without a word on the console. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { usePlayground } from "./playground.mjs";

const site = usePlayground();
const TIMEOUT = { timeout: 180_000 };

for (const section of ["likelihood", "objective", "balance", "latent", "flow", "prior", "condition", "ema"])
  test(`every kind of ${section} trains`, TIMEOUT, async () => {
    const playground = await site.open();
    await playground.unfold();
    const kinds = await playground.get(`kind-${section}`).locator("option").evaluateAll((options) => options.map((option) => option.value));
    assert.ok(kinds.length >= 2, kinds.join());
    for (const kind of [...kinds.slice(1), kinds[0]]) {
      await playground.choose(section, kind);
      await playground.step();
      assert.ok(Number.isFinite(Number(await playground.get("loss").getAttribute("data-value"))), `the loss of ${kind}`);
    }
    await playground.isQuiet();
    await playground.page.close();
  });

test("every kind of encoder trains, and its norm can be chosen", TIMEOUT, async () => {
  const playground = await site.open();
  await playground.unfold();
  const kinds = await playground.page.locator("input[name=encoder]").evaluateAll((inputs) => inputs.map((input) => input.value));
  assert.deepEqual(kinds, ["mlp", "conv", "residual"]);
  for (const kind of ["residual", "conv", "mlp"]) {
    await playground.page.locator(`input[name=encoder][value=${kind}]`).check({ force: true });
    await playground.chosen("encoder", kind);
    await playground.get("encoder-norm").selectOption({ index: 1 }); // layer norm, of every encoder
    await playground.page.waitForFunction((kind) => {
      const { encoder } = document.querySelector("vae-settings").studio.config;
      return encoder.kind === kind && encoder.norm === "layer";
    }, kind);
    await playground.ready();
    await playground.step();
  }
  await playground.isQuiet();
  await playground.page.close();
});
