/** The built playground in a page: opened with a small model, and what the tests of its controls read from it. */
import assert from "node:assert/strict";
import { after, before } from "node:test";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { launch, openPage } from "./browser.mjs";
import { serve } from "./server.mjs";

const SITE = join(dirname(fileURLToPath(import.meta.url)), "../../build/site");
/** So small that ten steps take no time. */
const SMALL = { lang: "en", "encoder.hidden": "16", "latent.size": "4", batchSize: "32", backend: "cpu" };
const WAIT_MS = 60_000;
/** Longer than a picture takes to be drawn anew after it was asked for. */
const RESTS_MS = 700;

/** One browser for the tests of a file; `open` gives a page each time, ready to train. */
export function usePlayground() {
  const site = {};
  before(async () => {
    site.server = await serve(SITE);
    site.browser = await launch();
  });
  after(async () => {
    await site.browser?.close();
    await site.server?.close();
  });
  site.open = async (query = {}) => {
    const { page, said } = await openPage(site.browser, `${site.server.url}?${new URLSearchParams({ ...SMALL, ...query })}`);
    const playground = new Playground(page, said);
    await playground.ready();
    return playground;
  };
  return site;
}

class Playground {
  constructor(page, said) {
    this.page = page;
    this.said = said;
  }

  get(id) {
    return this.page.getByTestId(id);
  }

  /** Until the model stands, the digits are there and every part of the page shows them. */
  async ready() {
    await this.page.waitForFunction(
      () => {
        const { studio } = document.querySelector("vae-settings") ?? {};
        return studio?.run.model && studio.run.phase === "ready" && document.querySelector("[data-testid=step-once]").disabled === false;
      },
      null,
      { timeout: WAIT_MS },
    );
    await this.page.evaluate(async () => {
      for (const part of document.querySelectorAll("*")) await part.updateComplete; // they are drawn in turns
    });
  }

  /** All controls in sight, those too that a choice brings later. */
  unfold() {
    return this.page.evaluate(() => {
      const open = () => document.querySelectorAll("vae-settings details, vae-samples details").forEach((each) => (each.open = true));
      open();
      if (window.unfolding) return;
      window.unfolding = new MutationObserver(open);
      window.unfolding.observe(document.body, { childList: true, subtree: true });
    });
  }

  async choose(section, kind) {
    await this.get(`kind-${section}`).selectOption(kind);
    await this.chosen(section, kind);
  }

  /** Until a model of this kind stands, with all its controls in sight. */
  async chosen(section, kind) {
    await this.page.waitForFunction(([section, kind]) => document.querySelector("vae-settings").studio.config[section].kind === kind, [section, kind], { timeout: WAIT_MS });
    await this.ready();
    await this.unfold();
  }

  /** Ten steps more. */
  async step() {
    const before = await this.steps();
    await this.get("step-once").click();
    await this.page.waitForFunction((before) => document.querySelector("vae-settings").studio.run.step >= before + 10, before, { timeout: WAIT_MS });
    await this.ready();
  }

  steps() {
    return this.page.evaluate(() => document.querySelector("vae-settings").studio.run.step);
  }

  config() {
    return this.page.evaluate(() => document.querySelector("vae-settings").studio.config);
  }

  parameters() {
    return this.page.evaluate(() => document.querySelector("vae-settings").studio.run.model.info.parameters);
  }

  /** The tiles of a grid of digits, each as a hash of its pixels, once something is painted and it rests. */
  async tiles(id, columns) {
    const end = Date.now() + WAIT_MS;
    let before = [];
    for (;;) {
      const tiles = await this.#painted(id, columns);
      if (tiles.length > 0 && tiles.join() === before.join()) return tiles;
      before = tiles;
      assert.ok(Date.now() < end, `${id} does not come to rest`);
      await this.page.waitForTimeout(RESTS_MS);
    }
  }

  #painted(id, columns) {
    return this.page.evaluate(
      ([id, columns]) => {
        const canvas = document.querySelector(`[data-testid=${id}]`);
        const context = canvas.getContext("2d");
        const tile = (i) => context.getImageData((i % columns) * 30, Math.floor(i / columns) * 30, 28, 28).data;
        const tiles = Array.from({ length: columns * Math.round((canvas.height + 2) / 30) }, (_, i) => tile(i));
        if (tiles.every((data) => data.every((value) => value === 0))) return [];
        return tiles.map((data) => data.reduce((hash, value) => (Math.imul(hash, 31) + value) | 0, 7));
      },
      [id, columns],
    );
  }

  /** Acts, and waits until the grid shows something else. */
  async changes(id, columns, act) {
    const before = (await this.tiles(id, columns)).join();
    await act();
    const end = Date.now() + WAIT_MS;
    for (;;) {
      const tiles = await this.tiles(id, columns);
      if (tiles.join() !== before) return tiles;
      await this.isQuiet();
      assert.ok(Date.now() < end, `${id} stays as it was`);
    }
  }

  slide(id, value) {
    return this.get(id).evaluate((input, value) => {
      input.value = String(value);
      input.dispatchEvent(new Event("input"));
    }, value);
  }

  /** No console line and no notice speaks of an error, but for what reading pixels brings about. */
  async isQuiet() {
    assert.deepEqual(this.said.filter((line) => /^(error|warning)/.test(line) && !line.includes("willReadFrequently")), []);
    assert.deepEqual(await this.page.locator(".notice").allInnerTexts(), []);
  }
}
