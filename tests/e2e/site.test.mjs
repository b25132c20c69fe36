/** The built playground: from opening the page to the first samples of a training on the real digits. */
import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { launch, openPage } from "./browser.mjs";
import { serve } from "./server.mjs";
import { withoutLongTasks } from "./tasks.mjs";

const SITE = join(dirname(fileURLToPath(import.meta.url)), "../../build/site");

test("play trains on the digits and draws samples, and the page stays responsive", { timeout: 180_000 }, async (t) => {
  const server = await serve(SITE);
  const browser = await launch();
  t.after(async () => {
    await browser.close();
    await server.close();
  });
  const { page, said } = await openPage(browser, server.url);
  await page.getByTestId("play").waitFor({ timeout: 60_000 });
  const figure = async (name) => Number(await page.getByTestId(name).getAttribute("data-value")); // as text it is written for its reader's language
  const reached = async (count, ms) => {
    const end = Date.now() + ms;
    while ((await figure("step")) < count) {
      assert.ok(Date.now() < end, `step ${await figure("step")} after ${ms} ms`);
      await page.waitForTimeout(200);
    }
  };
  await withoutLongTasks(page, async () => {
    await page.getByTestId("play").click();
    await reached(50, 60_000);
    const early = await figure("loss");
    await reached(200, 60_000);
    const late = await figure("loss");
    assert.ok(late < early, `the loss went from ${early} to ${late}`);
  });
  const spread = await page.getByTestId("samples").evaluate((element) => {
    const canvas = element instanceof HTMLCanvasElement ? element : (element.shadowRoot ?? element).querySelector("canvas");
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    const greens = data.filter((_, i) => i % 4 === 1);
    return Math.max(...greens) - Math.min(...greens);
  });
  assert.ok(spread > 100, `the samples' brightness spans ${spread} of 255`);
  assert.deepEqual(said.filter((line) => /^(error|warning)/.test(line)), []);
});
