/** The package itself: what is in it, how much a page loads, and that it works wherever it is put. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { gzipSync } from "node:zlib";
import { openPage } from "./browser.mjs";
import { useLab } from "./lab.mjs";
import { serve } from "./server.mjs";

/** What a page loads, gzipped, to train and sample a model of dense layers, of convolutions, or on WebGPU: ceilings of today, more than what is wanted. */
const BUDGET_BYTES = { dense: 175_300, conv: 191_900, webgpu: 250_300 };
/** What saves, evaluates and encodes: fetched in the background once a page has a model. */
const MORE = "reparam_more.wasm";

const lab = useLab();
const dist = (name) => readFileSync(join(lab.package.home, "dist", name));

/** A page at `url` that trains two steps, the backend it says it ran on, and with what. */
async function trainAt(url, where = {}) {
  const { page, said } = await openPage(lab.browser, url);
  await page.waitForFunction("window.lab");
  const backend = await page.evaluate(async (where) => {
    const { make, spots, collect } = window.lab;
    const vae = await make(where);
    await collect(vae.train(spots(32), { steps: 2, batchSize: 16 }));
    const { backend } = vae.info;
    await vae.dispose();
    return backend;
  }, where);
  await page.close();
  return { backend, said };
}

test("the tarball holds dist, package.json and the README alone", () => {
  const others = lab.package.files.filter((path) => !/^dist\/([\w-]+\/[\w-]+\.d\.ts|[\w.-]+\.(js|d\.ts|wasm))$/.test(path));
  assert.deepEqual(others.filter((path) => !/^(README\.md|LICENSE)$/.test(path)), ["package.json"]);
});

test("every export of package.json is in the tarball", () => {
  const { exports, dependencies } = JSON.parse(readFileSync(join(lab.package.home, "package.json"), "utf8"));
  for (const target of Object.values(exports).flatMap((entry) => (typeof entry === "string" ? [entry] : Object.values(entry))))
    assert.ok(lab.package.files.includes(target.slice(2)), target);
  assert.equal(dependencies, undefined);
});

/** The files of the package that a new page loads while it runs `f(lab)`, itself included; it does not get `refused`. */
async function loadedBy(f, refused) {
  const { page } = await openPage(lab.browser, "about:blank");
  const loaded = new Set();
  page.context().on("request", (request) => loaded.add(new URL(request.url()).pathname)); // a worker's too
  if (refused) await page.context().route(`**/${refused}`, (route) => route.abort());
  await page.goto(lab.server.url);
  await page.waitForFunction("window.lab");
  await page.evaluate(`(${f})(window.lab)`);
  await page.context().unrouteAll();
  await page.close();
  const names = [...loaded].filter((path) => path.includes("/reparam/dist/")).map((path) => path.split("/").at(-1));
  return names.filter((name) => name !== refused);
}

/** The README's ten lines, and what follows them. */
const tenLines = async ({ Vae, spots, collect }) => {
  const vae = await Vae.create({
    input: { kind: "image", height: 8, width: 8, channels: 1 },
    encoder: { kind: "mlp", hidden: [400] },
    latent: { kind: "gaussian", size: 20 },
    likelihood: { kind: "bernoulli" },
    backend: "cpu",
  });
  await collect(vae.train(spots(256), { epochs: 1 }));
  await vae.sample(64);
  await vae.decode({ values: new Float32Array(20 * 9), shape: [9, 20] });
  await vae.dispose();
};
const convolutions = async ({ make, spots, collect }) => {
  const vae = await make({ encoder: { kind: "conv", channels: [8, 8] }, likelihood: { kind: "gaussian" }, objective: { kind: "elbo", beta: 4 } });
  await collect(vae.train(spots(32), { epochs: 2, batchSize: 16 }));
  await vae.sample(4, { seed: 1 });
  await vae.dispose();
};
const allOfIt = async ({ make, spots, collect }) => {
  const vae = await make();
  await collect(vae.train(spots(32), { epochs: 2, batchSize: 16, validation: spots(16) }));
  const { mean, shape } = await vae.encode(spots(8));
  await vae.decode({ values: mean, shape });
  await vae.reconstruct(spots(8));
  await vae.evaluate(spots(16));
  await vae.save();
  await vae.dispose();
};
const codes = async ({ make }) => (await make({ encoder: { kind: "conv", channels: [8, 8] }, latent: { kind: "vq", codes: 8, size: 4 } })).dispose();

const byItself = async ({ make, spots, collect }) => {
  const vae = await make({ backend: "auto" });
  await collect(vae.train(spots(32), { epochs: 2, batchSize: 16 }));
  await vae.dispose();
};

const onWebGpu = async ({ make, spots, collect }) => {
  const vae = await make({ backend: "webgpu" });
  await collect(vae.train(spots(32), { steps: 2, batchSize: 16 }));
  await vae.sample(2);
  await vae.dispose();
};

test("a page loads no more than it did, gzipped, to train and to sample", async () => {
  const first = "reparam_first_relaxed.wasm";
  const pages = { dense: [tenLines, [first]], conv: [convolutions, ["reparam_conv.wasm", first]], webgpu: [onWebGpu, [first, "reparam_gpu.wasm"]] };
  for (const [kind, [use, parts]] of Object.entries(pages)) {
    const files = await loadedBy(use, MORE);
    const bytes = files.map((name) => gzipSync(dist(name), { level: 9 }).length).reduce((a, b) => a + b);
    assert.ok(files.includes("worker.js"), files.join(" "));
    assert.deepEqual(files.filter((name) => name.endsWith(".wasm")).sort(), parts);
    assert.ok(bytes <= BUDGET_BYTES[kind], `${kind}: ${bytes} bytes: ${files.join(" ")}`);
  }
});

test("other parts of the core are loaded when a model first wants them", async () => {
  for (const [use, parts] of [[allOfIt, [MORE]], [byItself, ["reparam_gpu.wasm", MORE]], [codes, ["reparam_conv.wasm", MORE, "reparam_rest.wasm"]]]) {
    const files = await loadedBy(use);
    assert.deepEqual(files.filter((name) => name.endsWith(".wasm")).sort(), [...parts, "reparam_first_relaxed.wasm"].sort());
  }
});

test("a machine's paths are not in the core", () => {
  for (const name of readdirSync(join(lab.package.home, "dist")).filter((name) => name.endsWith(".wasm"))) assert.doesNotMatch(dist(name).toString("latin1"), /\/(root|home|Users)\/|[A-Z]:\\Users|cargo\/registry|\.cargo/, name);
});

test("the core in parts is the whole core, bit for bit", async () => {
  const file = `${lab.server.url}node_modules/reparam/dist/reparam_relaxed_bg.wasm`;
  const run = (wasm) =>
    lab.run(
      async ({ make, spots, collect }, wasm) => {
        const vae = await make({ ...(wasm ? { wasm } : {}), encoder: { kind: "conv", channels: [8, 8] }, latent: { kind: "vq", codes: 8, size: 4 } });
        await collect(vae.train(spots(64), { steps: 8, batchSize: 16 }));
        await collect(vae.trainPrior(spots(64), { steps: 4, batchSize: 16 }));
        const saved = await vae.save();
        await vae.dispose();
        return [...new Uint8Array(await crypto.subtle.digest("SHA-256", saved))];
      },
      wasm,
    );
  assert.deepEqual(await run(), await run(file));
});

test("a rest that cannot be loaded is one typed error", async () => {
  const { page } = await openPage(lab.browser, "about:blank");
  await page.context().route("**/reparam_rest.wasm", (route) => route.fulfill({ status: 404, body: "" }));
  await page.goto(lab.server.url);
  await page.waitForFunction("window.lab");
  for (const worker of [true, false]) {
    const error = await page.evaluate(`(async ({ make, refusal }) => refusal(make({ worker: ${worker}, encoder: { kind: "conv", channels: [8, 8] }, latent: { kind: "vq", codes: 8, size: 4 } })))(window.lab)`);
    assert.deepEqual({ code: error.code, typed: error.typed }, { code: "internal", typed: true });
    assert.match(error.message, /reparam_rest\.wasm.*404|could not be loaded.*404/);
  }
  await page.context().unroute("**/reparam_rest.wasm");
  await page.close();
});

test("a model that was trained needs no network to be saved, to refuse or to go back", async () => {
  const { page } = await openPage(lab.browser, lab.server.url);
  await page.waitForFunction("window.lab");
  const fetched = page.context().waitForEvent("requestfinished", (request) => request.url().endsWith(MORE));
  await page.evaluate(async () => {
    const { make, collect } = window.lab;
    window.waves = (n, height = 1) => ({ values: Float32Array.from({ length: n * 6 }, (_, i) => height * Math.sin(i)), shape: [n, 6] });
    window.vae = await make({ input: { kind: "vector", size: 6 }, encoder: { kind: "mlp", hidden: [24], activation: "tanh" }, likelihood: { kind: "gaussian" } });
    await collect(window.vae.train(window.waves(96), { steps: 4, batchSize: 32 }));
  });
  await fetched;
  const asked = new Set();
  await page.context().route("**/*.wasm", async (route) => {
    const url = route.request().url();
    if (asked.has(url)) return route.continue();
    asked.add(url);
    if (url.includes("rest")) await setTimeout(1000); // the others have failed by then
    await route.abort();
  });
  const told = await page.evaluate(async () => {
    const { vae, lab, waves } = window;
    const before = (await vae.save()).length;
    const refused = await lab.refusal(lab.collect(vae.train(waves(96), { steps: -1 })));
    const diverged = await lab.refusal(lab.collect(vae.train(waves(96, 1e20), { steps: 4, batchSize: 32 })));
    const unreachable = await lab.refusal(vae.logLikelihood(waves(8), { samples: 2 }));
    return { isSaved: before > 0, codes: [refused, diverged, unreachable].map(({ code }) => code), after: (await vae.save()).length === before };
  });
  assert.deepEqual(told, { isSaved: true, codes: ["invalid-option", "non-finite", "internal"], after: true });
  const values = await page.evaluate(async () => (await window.vae.logLikelihood(window.waves(8), { samples: 2 })).values.length);
  assert.equal(values, 8);
  await page.close();
});

test("worker.js does not reach index.js, nor core.js a worker, nor any of them what a page loads on demand", () => {
  const files = new Set(readdirSync(join(lab.package.home, "dist"))); // the glue also names modules that are not files
  const reached = (name, seen = new Set([name])) => {
    for (const [, other] of dist(name).toString().matchAll(/["'`]\.\/([\w-]+\.js)["'`]/g)) if (files.has(other) && !seen.has(other)) reached(other, seen.add(other));
    return seen;
  };
  assert.ok(!reached("worker.js").has("index.js"));
  assert.ok(!reached("core.js").has("worker.js"));
  for (const entry of ["index.js", "core.js", "worker.js"]) for (const other of ["latents.js", "measures.js"]) assert.ok(!reached(entry).has(other), `${entry} loads ${other}`);
});

test("nothing in it makes code from text", () => {
  for (const name of readdirSync(join(lab.package.home, "dist")).filter((name) => name.endsWith(".js"))) assert.doesNotMatch(dist(name).toString(), /\beval\(|new Function\b/, name);
});

test("it trains in a plain page with an import map and says nothing on the console", async () => {
  assert.deepEqual(await trainAt(lab.server.url), { backend: "cpu", said: [] });
});

test("it trains on the calling thread", async () => {
  assert.deepEqual(await trainAt(lab.server.url, { worker: false }), { backend: "cpu", said: [] });
});

test("it trains under a strict content security policy", async () => {
  const policy = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval' 'unsafe-inline'; worker-src 'self'; connect-src 'self'; img-src data:"; // inline: the import map
  const server = await serve(lab.package.folder, { "content-security-policy": policy });
  assert.deepEqual(await trainAt(server.url), { backend: "cpu", said: [] });
  await server.close();
});

test("it trains in a worker when it is served from another origin", async () => {
  const cdn = await serve(lab.package.folder, { "access-control-allow-origin": "*" });
  const html = readFileSync(join(lab.package.folder, "index.html"), "utf8").replace("./node_modules/", `${cdn.url}node_modules/`);
  writeFileSync(join(lab.package.folder, "cdn.html"), html);
  assert.deepEqual(await trainAt(`${lab.server.url}cdn.html`), { backend: "cpu", said: [] });
  await cdn.close();
});

test("worker and wasm can be given by their addresses", async () => {
  const dist = `${lab.server.url}node_modules/reparam/dist/`;
  // As they are, and as the page would have them, which the worker is not beside.
  for (const at of [dist, dist.slice(lab.server.url.length)])
    assert.equal((await trainAt(lab.server.url, { worker: `${at}worker.js`, wasm: `${at}reparam_bg.wasm` })).backend, "cpu");
  await assert.rejects(trainAt(lab.server.url, { wasm: "http://" }), /wasm: got http:.*, expected an address/);
});

test("the core with relaxed SIMD and the one without train alike, each the same run twice", async () => {
  const dist = `${lab.server.url}node_modules/reparam/dist/`;
  const losses = (wasm) =>
    lab.run(
      async ({ make, spots, collect }, wasm) => {
        const vae = await make({ wasm });
        const events = await collect(vae.train(spots(64), { steps: 20, batchSize: 16, logEvery: 1 }));
        const { adapter } = vae.info;
        await vae.dispose();
        return { adapter, losses: events.filter((e) => e.kind === "step").map((e) => e.loss) };
      },
      wasm,
    );
  const [relaxed, again, plain] = [await losses(`${dist}reparam_relaxed_bg.wasm`), await losses(`${dist}reparam_relaxed_bg.wasm`), await losses(`${dist}reparam_bg.wasm`)];
  assert.deepEqual(relaxed, again);
  assert.deepEqual(await losses(`${dist}reparam_bg.wasm`), plain);
  assert.equal(plain.adapter, "WebAssembly SIMD");
  assert.ok(relaxed.adapter.startsWith(plain.adapter), relaxed.adapter); // fused where the processor can
  // Some hundred sums of products a value and 20 steps, each rounded to 6e-8.
  for (const [i, loss] of plain.losses.entries()) assert.ok(Math.abs(loss - relaxed.losses[i]) < 1e-5 * Math.abs(loss), `step ${i + 1}: ${loss} and ${relaxed.losses[i]}`);
});

test("files that cannot be loaded are told in words", async () => {
  const [worker, wasm, page] = await lab.run(async ({ make, refusal }) =>
    Promise.all([refusal(make({ worker: "./no-worker.js" })), refusal(make({ wasm: new URL("no.wasm", location.href) })), refusal(make({ wasm: new URL("./", location.href) }))]),
  );
  for (const { code, typed } of [worker, wasm, page]) assert.deepEqual({ code, typed }, { code: "internal", typed: true });
  assert.match(worker.message, /worker/);
  assert.match(wasm.message, /wasm core could not be loaded.*reparam_bg\.wasm/);
  lab.said.length = 0; // the 404s are the browser's own words
});

test("it trains in Node, without a worker", () => {
  const script = `
    import { Vae } from "reparam";
    const { encoder } = await Vae.catalogue();
    const vae = await Vae.create({
      input: { kind: "image", height: 8, width: 8, channels: 1 }, encoder: { kind: "mlp", hidden: [8] },
      latent: { kind: "gaussian", size: 2 }, likelihood: { kind: "bernoulli" }, backend: "cpu", worker: false,
    });
    for await (const e of vae.train({ values: new Uint8Array(64 * 16), shape: [16, 8, 8, 1] }, { steps: 3, batchSize: 8 })) ;
    console.log(vae.step, Array.isArray(encoder));
    await vae.dispose();`;
  const told = execFileSync(process.execPath, ["--input-type=module", "-e", script], { cwd: lab.package.folder, encoding: "utf8" });
  assert.equal(told, "3 true\n");
});

test("what does not fit into memory is refused, and the model goes on", async () => {
  const { page } = await openPage(lab.browser, lab.server.url);
  await page.waitForFunction("window.lab");
  const told = await page.evaluate(async () => {
    const { make, refusal } = window.lab;
    const wide = { input: { kind: "vector", size: 4096 }, encoder: { kind: "mlp", hidden: [4] }, likelihood: { kind: "gaussian" } };
    const seen = [];
    for (const worker of [true, false]) {
      const vae = await make({ ...wide, worker });
      const z = { values: new Float32Array(2 ** 19), shape: [2 ** 18, 2] };
      const refused = [await refusal(vae.sample(2 ** 20)), await refusal(vae.decode(z)), await refusal(vae.sample(2 ** 17 + 1))];
      seen.push({ refused: refused.map(({ code, typed, message }) => ({ code, typed, message })), values: (await vae.sample(2)).values.length });
      await vae.dispose();
    }
    return seen;
  });
  for (const { refused, values } of told) {
    for (const { code, typed, message } of refused) {
      assert.deepEqual([code, typed], ["out-of-memory", true]);
      assert.match(message, /\d+ bytes wanted, \d+ available/);
    }
    assert.equal(values, 2 * 4096);
  }
  await page.close();
});

test("where a part of the core stops, the page is told in words, and nothing stays pending", async () => {
  const { page } = await openPage(lab.browser, lab.server.url);
  await page.waitForFunction("window.lab");
  const told = await page.evaluate(async () => {
    const { make, refusal } = window.lab;
    const vae = await make();
    // Options are read before anything else: the same 16 MB again and again, of which each gets a copy of its own, 8 GB in all.
    const labels = Array(512).fill({ words: "x".repeat(2 ** 24) });
    const [stopped, pending] = await Promise.all([refusal(vae.sample(1, { labels })), refusal(vae.sample(1))]);
    const later = await refusal(vae.sample(1));
    return [stopped, pending, later].map(({ code, typed, message }) => ({ code, typed, message }));
  });
  for (const { code, typed, message } of told) {
    assert.deepEqual([code, typed], ["internal", true]);
    assert.match(message, /more memory was asked for than there is/);
  }
  await page.close();
});
