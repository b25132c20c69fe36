/** `reparam`: variational auto-encoders, trained and sampled in a web page, each in a worker of its own. */

import { Model, copyFile, open, split } from "./model.js";
import type { HostOptions, LoadOptions, VaeOptions } from "./options.js";
import { partsFor } from "./parts.js";
import type { Part } from "./parts.js";
import type { Connect } from "./port.js";
import { loadHere, threadPort } from "./thread-port.js";
import { workerPort } from "./worker-port.js";

export * from "./public.js";

/** Runs in a module worker, unless `worker: false` keeps it on the calling thread. */
export class Vae extends Model {
  /** Makes a model with fresh parameters. Every option is checked before anything is allocated. */
  static async create(options: VaeOptions): Promise<Vae> {
    const { core, ...host } = split(options);
    const call = { kind: "create", options: core } as const;
    return new Vae(await open(connect(host, partsFor(call)), call));
  }

  /** The model that `save` wrote, ready to go on as if it had never stopped. */
  static async load(bytes: Uint8Array, options: LoadOptions = {}): Promise<Vae> {
    const { core, ...host } = split(options);
    const call = { kind: "load", bytes: copyFile(bytes), options: core } as const;
    return new Vae(await open(connect(host, partsFor(call)), call));
  }
}

function connect({ worker = true, wasm }: HostOptions, parts: readonly Part[]): Connect {
  return worker === false ? threadPort(() => loadHere(wasm)) : workerPort(worker, wasm, parts);
}
