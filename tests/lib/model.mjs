/** The package's model over a fake core: on the calling thread, or behind a port that does to messages what a worker does. */
import { Engine } from "../../build/lib/engine.js";
import { transfers } from "../../build/lib/messages.js";
import { Model, open } from "../../build/lib/model.js";
import { threadPort } from "../../build/lib/thread-port.js";
import { fakeModule } from "./fake-core.mjs";

class TestModel extends Model {
  static async open(connect, call) {
    return new TestModel(await open(connect, call));
  }
}

export const CONNECTIONS = { thread: threadPort, worker: workerLikePort };

/** A model over a fake core, with the fake's log of calls. */
export async function makeModel({ connect = threadPort, call = { kind: "create", options: {} }, ...fake } = {}) {
  const module = fakeModule(fake);
  const vae = await TestModel.open(connect(async () => module), call);
  return { vae, log: module.log };
}

/** Messages are cloned at once and delivered later, in order, each way. */
function workerLikePort(load) {
  return (receive) => {
    let terminated = false;
    const later = (deliver) => (message) => {
      const copy = structuredClone(message, { transfer: transfers(message) });
      setImmediate(() => terminated || deliver(copy));
    };
    const engine = new Engine(load, later(receive), 40);
    return { send: later((request) => engine.receive(request)), close: async () => void (terminated = true) };
  };
}

/** `n` examples for the fake. */
export const examples = (n) => ({ values: new Uint8Array(n * 4).fill(7), shape: [n, 1, 4, 1] });

export async function collect(events) {
  const all = [];
  for await (const event of events) all.push(event);
  return all;
}
