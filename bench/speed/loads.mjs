/** From the start of a navigation to the first training step of the MLP. */
import { setTimeout } from "node:timers/promises";
import { say } from "../../scripts/run.mjs";
import { NETS } from "./nets.js";
import { CLOSING, SUBJECTS, isWhole, within } from "./subjects.mjs";
import { median } from "./statistics.mjs";

/**
 * How long a window is left alone before it loads the page. Opening it has Chromium start processes and pages of its own for most of a second, on
 * as many cores as there are; someone who follows a link has that behind them.
 */
const SETTLED_MS = 1500;

/** Milliseconds by subject, `--loads` of each, in turn. */
export async function loadTimes(lab, settings) {
  say("page load to first step");
  const names = settings.names.filter((name) => isWhole(SUBJECTS[name]));
  const loads = Object.fromEntries(names.map((name) => [name, []]));
  for (let i = 0; i < settings.loads; i++)
    for (const name of names)
      await load(lab, name, settings).then(
        (ms) => loads[name].push(ms),
        (error) => console.log(`${name}: ${error.message}`),
      );
  for (const name of names) if (loads[name].length) console.log(`${name}: ${median(loads[name]).toFixed(0)} ms`);
  return loads;
}

/** Milliseconds from the start of a navigation, nothing cached, to the figures of the first step, as the page itself has them. */
async function load(lab, name, settings) {
  const { library, backend, mended } = SUBJECTS[name];
  const context = await lab.context(); // its own cache
  try {
    const page = await context.newPage();
    await setTimeout(SETTLED_MS);
    const first = { net: NETS.mlp, options: { backend, mended, batch: NETS.mlp.batch } };
    await page.goto(`${lab.url}bench/speed/page/?${new URLSearchParams({ library, first: JSON.stringify(first) })}`);
    await page.waitForFunction("window.first", undefined, { polling: 5, timeout: settings.limit * 1000 });
    return await page.evaluate("window.first");
  } finally {
    await within(CLOSING, context.close()).catch(() => {});
  }
}
