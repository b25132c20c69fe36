/** The wasm core as seen from here: what `wasm-bindgen` makes must fit these types (`wasm.ts` checks it). */

import type { Crew } from "./crew.js";
import type { Encoding, OwnData, Samples, Values } from "./data.js";
import type { Figures, PriorEvent, PriorFigures, TrainEvent } from "./events.js";
import type { Catalogue, Info } from "./info.js";
import type { Part } from "./parts.js";

export interface CoreModule {
  readonly Core: CoreClass;
  readonly Helper: HelperClass;
  catalogue(): Catalogue;
  /** Throws what is wrong with the options of `create`; allocates nothing. */
  check(options: unknown): void;
  /** Calls `listener` with the text of a panic, after which this module must not be used again. */
  onPanic(listener: (text: string) => void): void;
  /** Loads those of these parts that are not there yet, so that no call has to wait for them; a failure leaves everything as it was. */
  ready(parts: readonly Part[]): Promise<void>;
}

export interface CoreClass {
  create(options: unknown): Promise<Core>;
  load(bytes: Uint8Array, options: unknown): Promise<Core>;
}

export interface HelperClass {
  begin(task: string, k: number, data: OwnData): Promise<Helper>;
}

/** One core's part of another model's run. */
export interface Helper {
  /** `room`: the parameters of step `t`, in whose place the gradient comes, and behind it the metrics. */
  step(room: Float32Array, t: number, order: Uint32Array, controls: Float64Array): void;
  free(): void;
}

/** One model. Not re-entrant: a second call while a promise is pending is refused, hence the queue of `engine.ts`. */
export interface Core {
  info(): Info;
  /** Lays kernels out as `products` of an earlier `info` says, unless a run has settled that. */
  recall(products: string): void;
  step(): number;
  set(controls: unknown): void;
  /** Has the parts of the next run's steps but the first done by helpers, one fewer than `info.cores`. */
  employ(helpers: Crew): void;
  begin(data: OwnData, options: unknown, validation: OwnData | undefined): Promise<void>;
  beginPrior(data: OwnData, options: unknown, validation: OwnData | undefined): Promise<void>;
  /** One chunk of steps of the training that runs, of about `budgetMs`. */
  advance(budgetMs: number): Promise<Advance>;
  /** Ends the training: finished, broken off or aborted. */
  end(): Promise<void>;
  evaluate(data: OwnData, options: unknown): Promise<Figures>;
  evaluatePrior(data: OwnData): Promise<PriorFigures>;
  logLikelihood(data: OwnData, options: unknown): Promise<Values>;
  encode(data: OwnData): Promise<Encoding>;
  decode(z: Float32Array, shape: unknown, options: unknown): Promise<Values>;
  decodeCodes(indices: Float32Array, shape: unknown, options: unknown): Promise<Values>;
  complete(indices: Float32Array, known: Uint8Array, shape: unknown, options: unknown): Promise<Samples>;
  reconstruct(data: OwnData): Promise<Values>;
  sample(n: number, options: unknown): Promise<Samples>;
  save(): Promise<Uint8Array<ArrayBuffer>>;
  dispose(): void;
}

export interface Advance {
  events: (TrainEvent | PriorEvent)[];
  done: boolean;
}
