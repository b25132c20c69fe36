/** The promise and iterator side of the package, over a fake core, on both kinds of connection. */
import assert from "node:assert/strict";
import { setTimeout as wait } from "node:timers/promises";
import { describe, test } from "node:test";
import { copyFile } from "../../build/lib/model.js";
import { CONNECTIONS, collect, examples, makeModel } from "./model.mjs";

const steps = (events) => events.filter((event) => event.kind === "step").map((event) => event.step);
const code = (expected) => (error) => error.name === "ReparamError" && error.code === expected;

for (const [name, connect] of Object.entries(CONNECTIONS)) {
  describe(`over a ${name} connection`, () => {
    const make = (options) => makeModel({ connect, ...options });

    test("step events come at multiples of logEvery and at the last step", async () => {
      const { vae } = await make();
      assert.deepEqual(steps(await collect(vae.train(examples(8), { steps: 53, logEvery: 20 }))), [20, 40, 53]);
      assert.equal(vae.step, 53);
    });

    test("a second training counts on from the first", async () => {
      const { vae } = await make();
      await collect(vae.train(examples(8), { steps: 53, logEvery: 20 }));
      assert.deepEqual(steps(await collect(vae.train(examples(8), { steps: 20, logEvery: 20 }))), [60, 73]);
    });

    test("epoch events carry figures where there is validation", async () => {
      const { vae } = await make();
      const events = await collect(vae.train(examples(8), { steps: 100, logEvery: 100, validation: examples(2) }));
      assert.deepEqual(events.at(-1), { kind: "epoch", epoch: 1, step: 100, validation: { elbo: -2, reconstruction: 1, kl: 1 } });
    });

    test("calls that overlap never reach the core together", async () => {
      const { vae, log } = await make();
      const [encoding, values, samples, figures, bytes] = await Promise.all([
        vae.encode(examples(3)),
        vae.decode(new Float32Array(6)),
        vae.sample(5),
        vae.evaluate(examples(2)),
        vae.save(),
      ]);
      assert.deepEqual([encoding.shape, values.shape, samples.shape], [[3, 2], [3, 1, 4, 1], [5, 1, 4, 1]]);
      assert.deepEqual(figures, { elbo: -3, reconstruction: 2, kl: 1 });
      assert.equal(bytes.length, 8);
      assert.equal(log.length, 5);
    });

    test("calls are served between the chunks of a training", async () => {
      const { vae, log } = await make();
      const training = collect(vae.train(examples(8), { steps: 1000, logEvery: 100 }));
      await wait(5);
      await vae.sample(2);
      const at = log.indexOf("sample");
      assert.ok(log.slice(0, at).includes("advance") && at < log.lastIndexOf("advance"));
      await training;
    });

    test("set acts on a training that runs", async () => {
      const { vae } = await make();
      const losses = [];
      for await (const event of vae.train(examples(8), { steps: 400, logEvery: 10 })) {
        if (event.kind !== "step") continue;
        if (event.step === 10) await vae.set({ beta: 5 });
        losses.push(event.loss - event.reconstruction);
      }
      assert.ok(Math.abs(losses[0] - 1) < 1e-9);
      assert.ok(Math.abs(losses.at(-1) - 5) < 1e-9);
    });

    test("leaving the loop ends the training and the model goes on from vae.step", async () => {
      const { vae, log } = await make();
      for await (const event of vae.train(examples(8), { steps: 1e6, logEvery: 10 })) if (event.step >= 30) break;
      const { step } = vae;
      await wait(20);
      assert.equal(vae.step, step);
      assert.equal(log.at(-1), "end");
      assert.deepEqual(steps(await collect(vae.train(examples(8), { steps: 7, logEvery: 1000 }))), [step + 7]);
    });

    test("an aborted signal ends the training with code aborted and its reason as cause", async () => {
      const { vae } = await make();
      const controller = new AbortController();
      const reason = new Error("enough");
      const training = collect(vae.train(examples(8), { steps: 1e6, logEvery: 10, signal: controller.signal }));
      setTimeout(() => controller.abort(reason), 20);
      await assert.rejects(training, (error) => code("aborted")(error) && error.cause === reason);
      const { step } = vae;
      assert.ok(step > 0);
      await wait(20);
      assert.equal(vae.step, step);
      await collect(vae.train(examples(8), { steps: 1 }));
    });

    test("a signal that was aborted before begins nothing", async () => {
      const { vae, log } = await make();
      await assert.rejects(collect(vae.train(examples(8), { steps: 10, signal: AbortSignal.abort() })), code("aborted"));
      assert.ok(!log.includes("begin"));
    });

    test("what is no signal is refused, and the model can be trained", async () => {
      const { vae } = await make();
      const training = collect(vae.train(examples(8), { steps: 10, signal: new AbortController() }));
      await assert.rejects(training, (error) => code("invalid-option")(error) && error.path === "signal" && error.got.includes("AbortController"));
      await collect(vae.train(examples(8), { steps: 1 }));
    });

    test("ending a training that never began leaves the other one alone", async () => {
      const { vae } = await make();
      const training = collect(vae.train(examples(8), { steps: 30, logEvery: 10 }));
      await vae.train(examples(8), { steps: 10 }).return();
      assert.deepEqual(steps(await training), [10, 20, 30]);
    });

    test("a second training while one runs is refused and the first goes on", async () => {
      const { vae } = await make();
      const first = collect(vae.train(examples(8), { steps: 500, logEvery: 500 }));
      await assert.rejects(collect(vae.train(examples(8), { steps: 1 })), code("busy"));
      assert.deepEqual(steps(await first), [500]);
    });

    test("events that nobody reads queue up while training goes on", async () => {
      const { vae } = await make();
      const events = vae.train(examples(8), { steps: 200, logEvery: 10 });
      await events.next();
      while (vae.step < 200) await wait(1);
      assert.equal(steps(await collect(events)).length, 19);
    });

    test("return stops a training that was waited for", async () => {
      const { vae } = await make();
      const events = vae.train(examples(8), { steps: 1e6, logEvery: 1e6 });
      const waiting = events.next();
      await wait(5);
      await events.return();
      assert.deepEqual(await waiting, { value: undefined, done: true });
    });

    test("return before the first next begins nothing", async () => {
      const { vae, log } = await make();
      const events = vae.train(examples(8), { steps: 10 });
      await events.return();
      assert.deepEqual(await events.next(), { value: undefined, done: true });
      assert.ok(!log.includes("begin"));
    });

    test("a loss that is not finite is told after the events before it", async () => {
      const { vae, log } = await make({ failAt: 35 });
      const seen = [];
      await assert.rejects(async () => {
        for await (const event of vae.train(examples(8), { steps: 100, logEvery: 10 })) seen.push(event);
      }, code("non-finite"));
      assert.deepEqual(steps(seen), [10, 20, 30]);
      assert.equal(log.at(-1), "end");
      assert.equal((await vae.sample(1)).shape[0], 1);
    });

    test("bad options give the core's error with its path, got and expected", async () => {
      const { code, path, got, expected } = await make({ call: { kind: "create", options: { latent: { size: 0 } } } }).catch((error) => error);
      assert.deepEqual({ code, path, got, expected }, { code: "invalid-option", path: "latent.size", got: "0", expected: "1 or more" });
    });

    test("bad data give one error with its path", async () => {
      const { vae } = await make();
      await assert.rejects(vae.encode({ values: new Uint8Array(3), shape: [1, 1, 4, 1] }), (error) => code("invalid-data")(error) && error.path === "data.values");
      await assert.rejects(vae.encode({ values: [1, 2], shape: [1, 2] }), (error) => code("invalid-data")(error) && error.path === "data.values");
      await assert.rejects(collect(vae.train(examples(2), { steps: 1, validation: { values: new Uint8Array(4) } })), (error) => error.path === "validation.shape");
    });

    test("options that cannot be sent are told as such", async () => {
      await assert.rejects(make({ call: { kind: "create", options: { seed: () => 0 } } }), code("invalid-option"));
    });

    test("the arrays given stay the caller's", async () => {
      const { vae } = await make();
      const data = { values: new Float32Array(40_000_000 / 4).fill(0.5), shape: [2_500_000, 1, 4, 1] };
      await vae.evaluate(data);
      await collect(vae.train(data, { steps: 2, logEvery: 1 }));
      assert.equal(data.values.length, 10_000_000);
      assert.equal(data.values.at(-1), 0.5);
    });

    test("bytes in Node's buffers are copied as well, with what lies beside them", async () => {
      const { vae } = await make();
      const all = Buffer.alloc(24, 1);
      await vae.evaluate({ ...examples(8), labels: all.subarray(8, 16) });
      const bytes = Buffer.from(await vae.save());
      for (let i = 0; i < 2; i++) await make({ call: { kind: "load", bytes: copyFile(bytes), options: {} } });
      assert.equal(all.length, 24);
      assert.ok(bytes.length > 0);
    });

    test("a saved model comes back with its step", async () => {
      const { vae } = await make();
      await collect(vae.train(examples(8), { steps: 12 }));
      const bytes = await vae.save();
      const { vae: again } = await make({ call: { kind: "load", bytes, options: {} } });
      assert.equal(again.step, 12);
    });

    test("after dispose everything pending and everything later is refused", async () => {
      const { vae } = await make();
      const training = collect(vae.train(examples(8), { steps: 1e6 }));
      const pending = vae.sample(1);
      const refused = [assert.rejects(training, code("disposed")), assert.rejects(pending, code("disposed"))];
      await vae.dispose();
      await Promise.all(refused);
      await assert.rejects(vae.sample(1), code("disposed"));
      await assert.rejects(vae.set({ beta: 1 }), code("disposed"));
      await assert.rejects(collect(vae.train(examples(1), { steps: 1 })), code("disposed"));
      await vae.dispose();
    });

    test("a trap of the core rejects everything with its text", async () => {
      const { vae } = await make({ trapAt: 25 });
      const told = (error) => code("internal")(error) && /a bound was crossed/.test(error.message);
      await assert.rejects(collect(vae.train(examples(8), { steps: 100 })), told);
      await assert.rejects(vae.sample(1), told);
      await vae.dispose();
    });

    test("a panic that leaves its promise pending rejects everything all the same", async () => {
      const { vae } = await make({ hangAt: 25 });
      const told = (error) => code("internal")(error) && /never answers/.test(error.message);
      const training = assert.rejects(collect(vae.train(examples(8), { steps: 100 })), told);
      await assert.rejects(vae.sample(1).then(() => vae.sample(1)).then(() => vae.sample(1)).then(() => vae.sample(1)), told);
      await training;
    });
  });
}

test("dispose on the calling thread ends the training and frees the core", async () => {
  const { vae, log } = await makeModel();
  const training = collect(vae.train(examples(8), { steps: 1e6 })).catch(() => {});
  await wait(5);
  await vae.dispose();
  await training;
  assert.deepEqual(log.slice(-2), ["end", "dispose"]);
});
