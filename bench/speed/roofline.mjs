/** The limits of the machine, measured in the same browser by kernels of our own: operations a second, and bytes moved. */
import { say } from "../../scripts/run.mjs";
import { assemble, copy, peak } from "./hand/wat.mjs";
import { within } from "./subjects.mjs";

/** What is copied on the CPU: well beyond its caches. */
const BYTES = 2 ** 26;
/** Sums that run side by side; the fastest number of them counts. */
const CHAINS = [8, 10, 12];
const GPU = { chains: [4, 6, 8, 12], turns: 4096, groups: 256 };

/** For each backend `flops` and `bandwidth`, in GFLOP/s and GB/s (read and written), with all that was tried. */
export async function roofline(lab, { limit }) {
  say("limits of the machine");
  const options = {
    wasm: { chains: Object.fromEntries(CHAINS.map((n) => [n, assemble(peak(n))])), copy: assemble(copy(BYTES)), bytes: BYTES },
    webgpu: GPU,
  };
  const limits = {};
  for (const [backend, given] of Object.entries(options)) {
    const { page } = await lab.open("bench/speed/page/?library=reparam");
    try {
      const run = page.evaluate(async ([backend, given]) => (await import(`/bench/speed/hand/${backend}.js`)).peak(given), [backend, given]);
      const tried = await within(limit, run);
      const most = (of) => Math.max(...Object.values(of));
      limits[backend] = { flops: most(tried.flops), bandwidth: most(tried.bandwidth), tried };
      console.log(`${backend}: ${limits[backend].flops.toFixed(1)} GFLOP/s, ${limits[backend].bandwidth.toFixed(1)} GB/s`);
    } catch (error) {
      console.log(`${backend}: ${error.message}`);
    } finally {
      await page.close();
    }
  }
  return limits;
}
