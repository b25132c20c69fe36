/** Whether anything grows in a long training: bytes, memory, the time of a step. */
import { say } from "../../scripts/run.mjs";
import { SUBJECTS, openPage } from "./subjects.mjs";
import { median } from "./statistics.mjs";

const NET = { side: 28, batch: 32, latent: 8, encoder: { kind: "mlp", hidden: [64] } };
/** Of the steps on the CPU, so many are done on WebGPU. */
const SHARE = { cpu: 1, webgpu: 0.1 };

/**
 * By subject of ours, on the page's thread, where all can be seen: `samples` after each tenth of the steps (bytes: of the model, of live GPU
 * buffers, of wasm memory, of the JavaScript heap after a collection), and `ms`, the median step of the first and of the last tenth.
 */
export async function endurance(lab, settings) {
  const results = {};
  for (const name of settings.names.filter((name) => SUBJECTS[name].library === "reparam")) {
    const steps = Math.max(1, Math.round((settings.endure * SHARE[SUBJECTS[name].backend]) / 100)) * 100;
    say(`${steps} steps, ${name}`);
    const runner = await openPage(lab, SUBJECTS[name], NET, { worker: false });
    const session = await runner.page.context().newCDPSession(runner.page);
    await session.send("Performance.enable");
    await runner.page.exposeFunction("heapBytes", async () => {
      await session.send("HeapProfiler.collectGarbage");
      const { metrics } = await session.send("Performance.getMetrics");
      return metrics.find(({ name }) => name === "JSHeapUsedSize").value;
    });
    await runner.call("first");
    const { marks, samples } = await runner.call("endure", steps);
    await runner.close();
    const times = marks.map(({ ms }) => ms);
    const tenth = Math.floor(times.length / 10);
    results[name] = { steps, samples, marks, ms: [median(times.slice(0, tenth)), median(times.slice(-tenth))] };
    console.log(`${results[name].ms.map((ms) => ms.toFixed(3)).join(" ms a step at first, ")} ms at last`);
  }
  return results;
}
