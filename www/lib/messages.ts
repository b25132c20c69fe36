/** Every message between a page and its worker. */

import type { Encoding, OwnData, Samples, Values } from "./data.js";
import type { ErrorFields } from "./errors.js";
import type { Figures, PriorEvent, PriorFigures, TrainEvent } from "./events.js";
import type { Info } from "./info.js";
import type { SampleOptions, WasmSource } from "./options.js";
import type { Modules } from "./parts.js";
import type { SamplerOptions, SamplerParams } from "./samplers/index.js";

/** What the core can be asked, one kind a command. */
export type Call =
  | { kind: "create"; options: unknown }
  | { kind: "load"; bytes: Uint8Array<ArrayBuffer>; options: unknown }
  | { kind: "set"; controls: unknown }
  | { kind: "train"; data: OwnData; validation: OwnData | undefined; options: unknown }
  | { kind: "trainPrior"; data: OwnData; validation: OwnData | undefined; options: unknown }
  /** Ends the training that runs; done with nothing to end. */
  | { kind: "stop" }
  | { kind: "evaluate"; data: OwnData; options: unknown }
  | { kind: "evaluatePrior"; data: OwnData }
  | { kind: "logLikelihood"; data: OwnData; options: unknown }
  | { kind: "encode"; data: OwnData }
  | { kind: "decode"; z: Float32Array<ArrayBuffer>; shape: number[] | undefined; options: unknown }
  | { kind: "decodeCodes"; indices: Float32Array<ArrayBuffer>; shape: number[] | undefined; options: unknown }
  | { kind: "complete"; indices: Float32Array<ArrayBuffer>; known: Uint8Array<ArrayBuffer>; shape: number[] | undefined; options: unknown }
  | { kind: "reconstruct"; data: OwnData }
  | { kind: "sample"; n: number; options: SampleOptions }
  | { kind: "fitSampler"; data: OwnData; options: SamplerOptions; seed: number | undefined }
  | { kind: "save" };

/** What each call answers. A `train` or `trainPrior` is answered when the training has ended. */
export interface Answers {
  create: void;
  load: void;
  set: void;
  train: void;
  trainPrior: void;
  stop: void;
  evaluate: Figures;
  evaluatePrior: PriorFigures;
  logLikelihood: Values;
  encode: Encoding;
  decode: Values;
  decodeCodes: Values;
  complete: Samples;
  reconstruct: Values;
  sample: Samples;
  fitSampler: SamplerParams;
  save: Uint8Array<ArrayBuffer>;
}

export type Request = Call & { id: number };

/** To a worker, once: what its core is, unless it is to load that by itself. */
export interface WasmMessage {
  kind: "wasm";
  source?: WasmSource;
  /** Parts of the package's own, compiled. */
  modules?: Modules;
}

/** To a worker: a port to another that helps it train, or to one that it is to help. */
export type PortMessage = { kind: "helper"; port: MessagePort } | { kind: "help"; port: MessagePort };

/** To a model's worker: its helpers are gone, and why. */
export interface LostMessage {
  kind: "lost";
  why: string;
}

export type ToWorker = Request | WasmMessage | PortMessage | LostMessage;

/** From the worker of a model to one that helps it. Each but `end` is answered, in turn, with the number of the run that it is of. */
export type ToHelper = { run: number } & (
  /** `task`: the core's own text. `k`: the helper's number, from 1. */
  | { kind: "begin"; task: string; k: number; data: OwnData }
  /** `room`: the parameters, and room for the answer. `t`: the step's number. */
  | { kind: "step"; room: Float32Array<ArrayBuffer>; t: number; order: Uint32Array; controls: Float64Array }
  | { kind: "end" }
);

/** `run` is left out where the helper could not read it. */
export type FromHelper = { run?: number } & (
  | { kind: "ready" }
  /** `room`: the gradient of the helper's part, then its metrics. */
  | { kind: "found"; room: Float32Array<ArrayBuffer> }
  | { kind: "failed"; error: ErrorFields }
);

export type Reply =
  /** `spent`: the call's own array, for the copies of calls to come. */
  | { kind: "done"; id: number; value: Answers[keyof Answers]; state: State | undefined; spent?: Float32Array<ArrayBuffer> }
  | { kind: "failed"; id: number; error: ErrorFields; state: State | undefined }
  /** After every chunk of a training, with or without events. */
  | { kind: "progress"; id: number; events: (TrainEvent | PriorEvent)[]; state: State }
  /** The core cannot be used any more; nothing pending will be answered. */
  | { kind: "crashed"; error: ErrorFields };

/** What can be read from a model without asking; `info` only where it may have changed. */
export interface State {
  step: number;
  info?: Info;
}

/** The buffers of a message that move instead of being copied: those of its typed arrays, one level of objects deep. */
export function transfers(message: object): ArrayBuffer[] {
  const buffers = new Set<ArrayBuffer>();
  const visit = (value: unknown, depth: number) => {
    if (ArrayBuffer.isView(value)) {
      if (value.buffer instanceof ArrayBuffer) buffers.add(value.buffer);
    } else if (depth < 2 && typeof value === "object" && value !== null) {
      for (const field of Object.values(value)) visit(field, depth + 1);
    }
  };
  visit(message, 0);
  return [...buffers];
}
