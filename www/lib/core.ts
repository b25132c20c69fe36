/** `reparam/core`: the same without workers, for a worker of your own, a server or a test. */

import { Model, copyFile, open, split } from "./model.js";
import type { HostOptions, LoadOptions, VaeOptions } from "./options.js";
import { loadHere, threadPort } from "./thread-port.js";

export * from "./public.js";

/** Runs on the calling thread, in slices of about 12 ms. */
export class Vae extends Model {
  /** Makes a model with fresh parameters. Every option is checked before anything is allocated. */
  static async create(options: Omit<VaeOptions, "worker">): Promise<Vae> {
    const { wasm, core } = split<HostOptions & typeof options>({ ...options, worker: false });
    return new Vae(await open(threadPort(() => loadHere(wasm)), { kind: "create", options: core }));
  }

  /** The model that `save` wrote, ready to go on as if it had never stopped. */
  static async load(bytes: Uint8Array, options: Omit<LoadOptions, "worker"> = {}): Promise<Vae> {
    const { wasm, core } = split<HostOptions & typeof options>({ ...options, worker: false });
    return new Vae(await open(threadPort(() => loadHere(wasm)), { kind: "load", bytes: copyFile(bytes), options: core }));
  }
}
