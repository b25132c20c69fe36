/** The page's thread stays free while a model of the size of MNIST trains in the worker. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { useLab } from "./lab.mjs";
import { withoutLongTasks } from "./tasks.mjs";

const lab = useLab();

test("no task of the page is longer than 50 ms while 60,000 digits are handed over and trained on", async () => {
  const train = async ({ make, collect }) => {
    const vae = await make({ input: { kind: "image", height: 28, width: 28, channels: 1 }, encoder: { kind: "mlp", hidden: [400] }, latent: { kind: "gaussian", size: 20 } });
    const values = new Uint8Array(60_000 * 784); // blank: only the size matters here
    const timeout = AbortSignal.timeout(4000);
    const training = collect(vae.train({ values, shape: [60_000, 28, 28, 1] }, { steps: 1e6, logEvery: 5, signal: timeout })).catch(() => {});
    while (!timeout.aborted) await vae.sample(64);
    await training;
    const { step } = vae;
    await vae.dispose();
    return step;
  };
  assert.ok((await withoutLongTasks(lab.page, () => lab.run(train))) > 0);
});
