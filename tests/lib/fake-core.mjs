/**
 * A stand-in for the wasm core that keeps its contract: one call at a time, typed errors as plain fields, means since the last event.
 * Its "model" is a step count and β; every figure is a formula of those, so tests can say what to expect.
 */

export const WIDTH = 4; // examples are (1, 4, 1) images, latents have 2 dimensions

/** `stepsPerChunk` steps a chunk; `failAt`: the loss is not finite at that step; `trapAt`: the core traps there. */
export function fakeModule({ stepsPerChunk = 10, failAt, trapAt, hangAt } = {}) {
  const listeners = [];
  const log = [];
  const panic = (text) => listeners.forEach((listener) => listener(text));

  const check = (options) => {
    if (options.latent?.size < 1) throw { code: "invalid-option", message: "option latent.size: got 0, expected 1 or more", path: "latent.size", got: "0", expected: "1 or more" };
  };

  class Core {
    static async create(options) {
      check(options);
      await tick();
      return new Core(0, 1);
    }

    static async load(bytes) {
      if (bytes.length !== 8) throw { code: "invalid-file", message: `file: got ${bytes.length} bytes, expected 8` };
      await tick();
      return new Core(...new Float32Array(bytes.buffer.slice(0)));
    }

    #pending = false;
    #run;
    #step;
    #beta;

    constructor(step, beta) {
      this.#step = step;
      this.#beta = beta;
    }

    info() {
      return { backend: "cpu", reason: "a fake", adapter: null, parameters: 1, bytes: 4, plan: this.#run ? { dispatches: 1, text: "fake" } : null };
    }

    step() {
      return this.#step;
    }

    set({ beta }) {
      if (!(beta >= 0)) throw { code: "invalid-option", message: `option beta: got ${beta}, expected 0 or more`, path: "beta", got: String(beta), expected: "0 or more" };
      log.push(`set ${beta}`);
      this.#beta = beta;
    }

    begin({ values, shape }, options, validation) {
      return this.#once("begin", () => {
        checkShape(values, shape);
        const { steps, logEvery = 50 } = options;
        this.#run = { last: this.#step + steps, logEvery, validation, since: 0 };
      });
    }

    advance() {
      return this.#once("advance", async () => {
        const { last, logEvery, validation } = this.#run;
        const events = [];
        for (let i = 0; i < stepsPerChunk && this.#step < last; i++) {
          this.#step++;
          if (this.#step === failAt) throw { code: "non-finite", message: `loss is not finite at step ${failAt}` };
          if (this.#step === hangAt) return new Promise(() => panic("panicked and never answers")); // what an async panic does
          if (this.#step === trapAt) {
            panic("panicked at src/fake.rs: a bound was crossed");
            throw new WebAssembly.RuntimeError("unreachable");
          }
          if (this.#step % logEvery === 0 || this.#step === last) {
            const [reconstruction, kl] = [100 / this.#step, 1];
            events.push({ kind: "step", step: this.#step, epoch: this.#step / 100, loss: reconstruction + this.#beta * kl, elbo: -(reconstruction + kl), reconstruction, kl });
          }
          if (this.#step % 100 === 0) events.push({ kind: "epoch", epoch: this.#step / 100, step: this.#step, ...(validation && { validation: { elbo: -2, reconstruction: 1, kl: 1 } }) });
        }
        return { events, done: this.#step >= last };
      });
    }

    end() {
      return this.#once("end", () => {
        this.#run = undefined;
      });
    }

    evaluate({ values, shape }) {
      return this.#once("evaluate", () => (checkShape(values, shape), { elbo: -3, reconstruction: 2, kl: 1 }));
    }

    encode({ values, shape }) {
      return this.#once("encode", () => (checkShape(values, shape), { mean: new Float32Array(2 * shape[0]), logvar: new Float32Array(2 * shape[0]), shape: [shape[0], 2] }));
    }

    decode(z, shape = [z.length / 2, 2]) {
      return this.#once("decode", () => images(shape[0]));
    }

    reconstruct({ values, shape }) {
      return this.#once("reconstruct", () => (checkShape(values, shape), images(shape[0])));
    }

    sample(n) {
      return this.#once("sample", () => images(n));
    }

    save() {
      return this.#once("save", () => new Uint8Array(Float32Array.of(this.#step, this.#beta).buffer));
    }

    dispose() {
      log.push("dispose");
    }

    async #once(name, body) {
      if (this.#pending) throw { code: "busy", message: `${name} during another call` };
      this.#pending = true;
      log.push(name);
      try {
        await tick();
        return await body();
      } finally {
        this.#pending = false;
      }
    }
  }

  const catalogue = () => ({ encoder: [], latent: [], likelihood: [], objective: [] });
  return { Core, catalogue, check, onPanic: (listener) => listeners.push(listener), ready: async () => {}, log };
}

function checkShape(values, shape) {
  const size = shape.reduce((a, b) => a * b, 1);
  if (values.length !== size) throw { code: "invalid-data", message: `data.values: got ${values.length} elements, expected ${size}`, path: "data.values", got: `${values.length} elements`, expected: `${size} elements` };
}

const images = (n) => ({ values: new Float32Array(n * WIDTH), shape: [n, 1, WIDTH, 1] });
const tick = () => new Promise((resolve) => setTimeout(resolve));
