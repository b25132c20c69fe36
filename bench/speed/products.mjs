/** Products of two (n, n) matrices: ours, the peers', and the best kernel that we write by hand. */
import { say } from "../../scripts/run.mjs";
import { assemble, product } from "./hand/wat.mjs";
import { interleave, prepare } from "./rounds.mjs";
import { SUBJECTS, isWhole, openPage } from "./subjects.mjs";

/** Rows and vectors of 4 columns in registers. */
const WASM = [[4, 2], [3, 3], [6, 2]];
/** Rows, vectors of 4 columns, and how many such blocks lie side by side in a workgroup. */
const WEBGPU = [[8, 2, 8], [8, 2, 16], [16, 2, 8], [16, 2, 4], [16, 4, 4], [16, 1, 16], [4, 4, 16]];

/** Calls of ours that do next to nothing but what surrounds the product: give a result out, take latents in, neither. */
const AROUND = { "result alone": { depth: 1 }, "latents alone": { width: 1 }, "call alone": { depth: 1, width: 1 } };

/** By size, by name: { rounds, about }. Of ours also `…, result alone` and so on: the same with a depth or a width of 1 in place of n. */
export async function products(lab, settings) {
  const mine = settings.names.filter((name) => isWhole(SUBJECTS[name])).map((name) => [name, SUBJECTS[name], {}]);
  const ours = mine.filter(([, { library }]) => library === "reparam");
  const around = ours.flatMap(([name, subject]) => Object.entries(AROUND).map(([what, sizes]) => [`${name}, ${what}`, subject, sizes]));
  const backends = new Set(mine.map(([, { backend }]) => (backend === "webgpu" ? "webgpu" : "wasm")));
  const hand = [...backends].map((backend) => [`by hand, ${backend}`, { library: `hand-${backend}` }, { kernels: KERNELS[backend]() }]);
  const results = {};
  for (const n of settings.sizes) {
    say(`product of ${n}`);
    const subjects = [];
    results[n] = {};
    for (const [name, subject, options] of [...mine, ...around, ...hand]) {
      results[n][name] = {}; // in this order
      try {
        const ready = await prepare(() => openPage(lab, subject, n, { entry: "product", ...options }), settings);
        subjects.push({ name, ...ready });
        console.log(`${name}: about ${ready.ms.toFixed(2)} ms`);
      } catch (error) {
        results[n][name] = { failed: error.message.split("\n")[0] };
        console.log(`${name}: ${error.message}`);
      }
    }
    await interleave(subjects, settings);
    for (const { name, rounds, runner } of subjects) {
      results[n][name] = { rounds, about: await runner.call("about") };
      await runner.close();
    }
  }
  return results;
}

const KERNELS = {
  wasm: () => WASM.map(([rows, vectors]) => ({ name: `${rows}×${4 * vectors}`, rows, width: 4 * vectors, code: assemble(product({ rows, vectors })) })),
  webgpu: () => Object.fromEntries(WEBGPU.map(([rows, vectors, across]) => [`${rows}×${4 * vectors}, ${across} across`, { rows, vectors, across }])),
};
