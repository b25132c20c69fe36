/** How the cost of a step of the MLP grows with batch and width. */
import { say } from "../../scripts/run.mjs";
import { NETS, flops } from "./nets.js";
import { interleave, prepare } from "./rounds.mjs";
import { SUBJECTS, openPage } from "./subjects.mjs";
import { median } from "./statistics.mjs";

/** By subject of ours, by what is varied: [{ batch, width, flops, rounds }], rising. On WebGPU every other point. */
export async function sweep(lab, settings) {
  const results = {};
  const { batch, encoder } = NETS.mlp;
  for (const name of settings.names.filter((name) => SUBJECTS[name].library === "reparam")) {
    say(`batch and width, ${name}`);
    const some = (values) => values.filter((_, i) => SUBJECTS[name].backend === "cpu" || i % 2 === 0);
    const point = (batch, width) => ({ ...NETS.mlp, batch, encoder: { kind: "mlp", hidden: [width] } });
    const nets = {
      batch: some(settings.batches).map((batch) => point(batch, encoder.hidden[0])),
      width: some(settings.widths).map((width) => point(batch, width)),
    };
    results[name] = {};
    for (const [varied, all] of Object.entries(nets)) {
      const subjects = [];
      for (const net of all) subjects.push({ net, ...(await prepare(() => openPage(lab, SUBJECTS[name], net), settings)) });
      await interleave(subjects, settings);
      results[name][varied] = subjects.map(({ net, rounds }) => ({ batch: net.batch, width: net.encoder.hidden[0], flops: flops(net), rounds }));
      for (const { batch, width, rounds } of results[name][varied]) console.log(`batch ${batch}, width ${width}: ${median(rounds.filter(Boolean)).toFixed(2)} ms`);
      for (const { runner } of subjects) await runner.close();
    }
  }
  return results;
}
