/// <reference lib="esnext.disposable" preserve="true" />
/** A variational auto-encoder: what can be done with it, wherever its engine runs. */

import { Client } from "./client.js";
import { copyCodes, copyData, copyKnown, copyLatents, plainLabels } from "./data.js";
import type { Codes, Data, Encoding, Latents, PartialCodes, Samples, Values } from "./data.js";
import { ReparamError, invalid, toFields } from "./errors.js";
import type { Figures, PriorEvent, PriorFigures, TrainEvent } from "./events.js";
import type { Catalogue, Info } from "./info.js";
import type { Call } from "./messages.js";
import type {
  CompleteOptions, ConditionOptions, Controls, Cores, EvaluateOptions, HostOptions, LikelihoodOptions, SampleOptions, TrainOptions, TrainPriorOptions, VaeOptions,
  WasmSource,
} from "./options.js";
import type { Connect } from "./port.js";
import { loadHere } from "./thread-port.js";
import type { SamplerOptions, SamplerParams } from "./samplers/index.js";
import { Training } from "./training.js";

/**
 * Calls may overlap: they are carried out one at a time, and during a training between its chunks of steps.
 * Arrays given are copied first: they stay yours. Every promise rejects with a `ReparamError`.
 */
export abstract class Model implements AsyncDisposable {
  readonly #client: Client;

  protected constructor(client: Client) {
    this.#client = client;
  }

  /** Everything that can be chosen, with ranges and defaults. Loads the core on the calling thread. */
  static async catalogue(host: { wasm?: WasmSource } = {}): Promise<Catalogue> {
    return (await loadHere(host.wasm)).catalogue();
  }

  /** Resolves when `create` would take these options, and rejects as `create` would; allocates nothing. */
  static async check(options: VaeOptions): Promise<void> {
    const { wasm, core } = split(options);
    const module = await loadHere(wasm);
    try {
      module.check(core);
    } catch (thrown) {
      throw new ReparamError(toFields(thrown));
    }
  }

  /** Backend, adapter, number of parameters, bytes held, and the latest training plan. */
  get info(): Info {
    return this.#client.info!; // set by the answer to `create`
  }

  /** Steps done in all, as far as the engine has reported; final once a training has ended, however it ended. */
  get step(): number {
    return this.#client.step;
  }

  /**
   * Trains on `data`, counting on from where the model stands, while the iterator is read; the first `next` begins.
   * Leaving the loop ends the training after the steps under way, and the model can go on. Training does not wait for its
   * reader: unread events queue up. Rejects with "busy" while another training runs, with "aborted" when `signal` is.
   */
  train(data: Data, options: TrainOptions): AsyncIterableIterator<TrainEvent> {
    return this.#training<TrainEvent>("train", data, options);
  }

  /**
   * Trains a prior over the codes of a model of codes (`"vq"`, `"fsq"`): `data` is encoded once, then an autoregressive network learns how likely its
   * codes are. Events, breaking out and aborting are as with `train`; the prior counts its own steps, several calls go on, and `save` holds it.
   * A conditional model's prior has the model's condition; of another, `data.labels` are classes (−1 where one is not known) and make the
   * prior conditional, a tenth of them being left out in training so that `guidance` can go beyond them. Where the model is trained on
   * afterwards, `info.prior.isCurrent` is false: the codes may mean something else by then.
   */
  trainPrior(data: Data, options: TrainPriorOptions): AsyncIterableIterator<PriorEvent> {
    return this.#training<PriorEvent>("trainPrior", data, options);
  }

  #training<E extends TrainEvent | PriorEvent>(kind: "train" | "trainPrior", data: Data, options: TrainOptions): Training<E> {
    const { signal, validation, ...core } = options ?? {};
    const prepare = async () => ({
      kind,
      data: await copyData(data, "data"),
      validation: validation && (await copyData(validation, "validation")),
      options: core,
    });
    return new Training<E>(this.#client, prepare, signal);
  }

  /** Means over all of `data`, each example counted once, in nats per example. */
  async evaluate(data: Data, options: EvaluateOptions = {}): Promise<Figures> {
    return this.#client.call({ kind: "evaluate", data: await copyData(data, "data"), options });
  }

  /** −log p of the codes of `data` under the learnt prior, a mean over all of it, each example counted once. */
  async evaluatePrior(data: Data): Promise<PriorFigures> {
    return this.#client.call({ kind: "evaluatePrior", data: await copyData(data, "data") });
  }

  /**
   * log p(x) of each example by importance weighting with `samples` draws of z (Burda et al. 2016, Eq. 8): `(n)`, in nats, a lower bound
   * that rises with the draws.
   */
  async logLikelihood(data: Data, options: LikelihoodOptions = {}): Promise<Values> {
    return this.#client.call({ kind: "logLikelihood", data: await copyData(data, "data"), options });
  }

  /** q(z|x) of each example: `mean` and `logvar`, both `(n, size)`; of categorical latents `mean`, the probabilities, and `logits`; of codes `mean` and `indices`. */
  async encode(data: Data): Promise<Encoding> {
    return this.#client.call({ kind: "encode", data: await copyData(data, "data") });
  }

  /**
   * The mean of p(x|z): `z` is `(n, size)`, or codes by their numbers, `{ indices }`; the result is `(n, height, width, channels)`. A conditional
   * model is told `labels`.
   */
  async decode(z: Float32Array | Latents | Codes, options: ConditionOptions = {}): Promise<Values> {
    if (typeof z === "object" && z !== null && "indices" in z) return this.#client.call({ kind: "decodeCodes", ...copyCodes(z), options: plainLabels(options) });
    return this.#client.call({ kind: "decode", ...copyLatents(z, (values) => this.#client.copy(values)), options: plainLabels(options) });
  }

  /** The mean of p(x|z) at the mean of q(z|x): the same shape as `data`. */
  async reconstruct(data: Data): Promise<Values> {
    return this.#client.call({ kind: "reconstruct", data: await copyData(data, "data") });
  }

  /**
   * Fits another law than the prior to the codes of `data`, the means of q(z|x): a full Gaussian, or a mixture of them by expectation
   * maximisation, whose samples come nearer to the data. `sample(n, { sampler: kind })` then draws from it; what this gives can be kept
   * and used as `sampler` itself, as `save` does not hold it.
   */
  async fitSampler(data: Data, options: SamplerOptions, { seed }: { seed?: number } = {}): Promise<SamplerParams> {
    return this.#client.call({ kind: "fitSampler", data: await copyData(data, "data"), options, seed });
  }

  /**
   * The mean of p(x|z) for `n` draws of z from the prior, or from a fitted sampler: `(n, height, width, channels)`; from a learnt prior over
   * codes with the codes drawn, `indices`. Those are drawn on the CPU whatever the backend, at a cost that grows with their number.
   */
  async sample(n: number, options: SampleOptions = {}): Promise<Samples> {
    return this.#client.call({ kind: "sample", n, options: plainLabels(options) });
  }

  /**
   * Completes grids of codes: those that are known stay, the others are drawn from the learnt prior in raster order, each given all before it.
   * Gives what `sample` gives.
   */
  async complete(codes: PartialCodes, options: CompleteOptions = {}): Promise<Samples> {
    return this.#client.call({ kind: "complete", ...copyCodes(codes), known: copyKnown(codes.known), options: plainLabels(options) });
  }

  /** Moves live controls of the objective; the next chunk of steps uses them. */
  async set(controls: Controls): Promise<void> {
    return this.#client.call({ kind: "set", controls });
  }

  /** The model with its options, optimiser, step, seed and place in the data, as the bytes of a .safetensors file. */
  async save(): Promise<Uint8Array<ArrayBuffer>> {
    return this.#client.call({ kind: "save" });
  }

  /** Frees the worker, the device and all memory. What is pending, and every later call, rejects with "disposed". */
  async dispose(): Promise<void> {
    return this.#client.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose();
  }
}

/** Connects, makes or loads a model there, and lets go of the connection when that fails. */
export async function open(connect: Connect, call: Call & { kind: "create" | "load" }): Promise<Client> {
  const client = new Client(connect);
  try {
    await client.call(call);
    return client;
  } catch (error) {
    await client.close();
    throw error;
  }
}

/** The options that say where to run, and those for the core. */
export function split<T extends HostOptions & { cores?: Cores }>(options: T): HostOptions & { core: Omit<T, keyof HostOptions> } {
  if (typeof options !== "object" || options === null) throw invalid("invalid-option", "options", String(options), "an object");
  const { worker, wasm, ...core } = options;
  if (core.cores === "auto") core.cores = worker === false || !("Worker" in globalThis) ? 1 : Math.min(navigator.hardwareConcurrency || 1, MOST_CORES);
  return { worker, wasm, core };
}

/** What `"auto"` takes at most: of every core more, the first has the parameters to send and a gradient to add. */
const MOST_CORES = 4;

/** A copy of the bytes of a saved model. */
export function copyFile(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  if (!(bytes instanceof Uint8Array)) throw invalid("invalid-data", "bytes", String(bytes), "the Uint8Array that `save` gave");
  return new Uint8Array(bytes); // the `slice` of Node's buffers copies nothing
}
