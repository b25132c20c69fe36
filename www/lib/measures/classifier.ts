/**
 * A classifier of examples, for measures that want features (`frechetDistance`) or a judge of samples (`agreement`).
 *
 * It is a model of the core like any other: the encoder, a layer of features with a ReLU, and a layer of logits, trained by
 * −log softmax(logits)[label], in nats per example. `create` and `load` take the class `Vae` that makes the page's models, of `reparam` or
 * `reparam/core`, so that this entry loads neither. Examples are bytes, or any finite numbers.
 */

import type { Data, Encoding, Labels } from "../data.js";
import { invalid } from "../errors.js";
import type { TrainEvent } from "../events.js";
import type { Model } from "../model.js";
import type { Backend, HostOptions, Input, LoadOptions, Network, Precision, TrainOptions } from "../options.js";
import { type Agreement, agreement, predictedLabels } from "./agreement.js";

/** What a classifier is made of. */
export interface ClassifierOptions extends HostOptions {
  input: Input;
  /** Default: convolutions of 16 and 32 channels and 128 dense units for images, 256 and 128 dense units for vectors. */
  encoder?: Network;
  /** Labels are 0 … classes − 1. */
  classes: number;
  /** Default 64. */
  features?: number;
  /** Default `"kaiming"` with a convolutional encoder, else `"glorot"`. */
  init?: "glorot" | "kaiming";
  /** Default 0. */
  seed?: number;
  /** Default `"f32"`. */
  precision?: Precision;
  /** Default `"auto"`. */
  backend?: Backend;
}

/** Sent as the events of `Vae.train` are. */
export type ClassifierEvent =
  | { kind: "step"; step: number; epoch: number; /** Mean since the previous event. */ crossEntropy: number }
  | { kind: "epoch"; step: number; epoch: number; /** On the held-out examples, where `validation` was given with labels. */ crossEntropy?: number };

/** The features of n examples, as `gaussianOf` takes them: `shape` is `(n, features)`. */
export interface Features {
  values: Float32Array;
  shape: number[];
}

/** `Vae`, as far as it is needed here. */
export interface ModelClass {
  create(options: never): Promise<Model>;
  load(bytes: Uint8Array, options?: LoadOptions): Promise<Model>;
}

export class Classifier implements AsyncDisposable {
  readonly #model: Model;

  private constructor(model: Model) {
    this.#model = model;
  }

  /** A classifier with fresh parameters. */
  static async create(Vae: ModelClass, options: ClassifierOptions): Promise<Classifier> {
    const { encoder = encoderOf(options?.input), features = 64, ...rest } = options;
    return new Classifier(await Vae.create({ ...rest, features, encoder } as never));
  }

  /** The classifier that `save` wrote. */
  static async load(Vae: ModelClass, bytes: Uint8Array, options?: LoadOptions): Promise<Classifier> {
    return new Classifier(await Vae.load(bytes, options));
  }

  /** Trains on examples with labels, as `Vae.train` does, while the iterator is read; leaving the loop ends the training. */
  async *train(data: Data, options: TrainOptions): AsyncGenerator<ClassifierEvent, void, undefined> {
    checkLabels(data, "data");
    if (options?.validation !== undefined) checkLabels(options.validation, "validation");
    for await (const event of this.#model.train(data, options)) yield eventOf(event);
  }

  /** What the last layer but one says of each example, at least 0. */
  async features(data: Data): Promise<Features> {
    const { mean, shape } = await this.#model.encode(data);
    return { values: mean, shape };
  }

  /** The most probable class of each example: (n). */
  async predict(data: Data): Promise<Uint16Array<ArrayBuffer>> {
    return labelsOf(await this.#model.encode(data));
  }

  /** How far the predictions are `data.labels`: the share that is, by class, and what is taken for what. */
  async agreement(data: Data): Promise<Agreement> {
    return agreement(await this.predict(data), checkLabels(data, "data"));
  }

  /** Share of the examples whose prediction is their label. */
  async accuracy(data: Data): Promise<number> {
    return (await this.agreement(data)).accuracy;
  }

  /** The classifier as the bytes of a .safetensors file, training state included. */
  save(): Promise<Uint8Array<ArrayBuffer>> {
    return this.#model.save();
  }

  dispose(): Promise<void> {
    return this.#model.dispose();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose();
  }
}

const encoderOf = (input: Input | undefined): Network =>
  input?.kind === "vector" ? { kind: "mlp", hidden: [256, 128] } : { kind: "conv", channels: [16, 32], hidden: [128] };

/** The core gives the cross-entropy in the place of a reconstruction. */
function eventOf(event: TrainEvent): ClassifierEvent {
  const { step, epoch } = event;
  if (event.kind === "step") return { kind: "step", step, epoch, crossEntropy: event.reconstruction };
  return { kind: "epoch", step, epoch, ...(event.validation && { crossEntropy: event.validation.reconstruction }) };
}

/** The features stand where a model has the means of its codes. */
function labelsOf({ logits, shape }: Encoding): Uint16Array<ArrayBuffer> {
  if (logits === undefined) throw invalid("invalid-data", "model", "a model without logits", "a classifier");
  return Uint16Array.from(predictedLabels({ values: logits, shape: [shape[0], logits.length / shape[0]] }));
}

function checkLabels(data: Data, path: string): Labels {
  if (data?.labels === undefined) throw invalid("invalid-data", `${path}.labels`, "none", "one for each example");
  return data.labels;
}
