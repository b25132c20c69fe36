/** From the start of a navigation to the first training step of the MLP. */
import { say } from "../../scripts/run.mjs";
import { NETS } from "./nets.js";
import { SUBJECTS, openPage, within } from "./subjects.mjs";
import { median } from "./statistics.mjs";

/** Milliseconds by subject, `--loads` of each, in turn. */
export async function loadTimes(lab, settings) {
  say("page load to first step");
  const names = settings.names.filter((name) => SUBJECTS[name].library && !SUBJECTS[name].mended);
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

/** Milliseconds from the start of a navigation, nothing cached, to the figures of the first step. */
async function load(lab, name, settings) {
  const runner = await within(settings.limit, openPage(lab, SUBJECTS[name], NETS.mlp));
  try {
    await within(settings.limit, runner.call("first"));
    return await runner.page.evaluate(() => performance.now());
  } finally {
    await runner.close();
  }
}
