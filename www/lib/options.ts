/** What a model is made of and how it is trained: the options of `Vae.create`, `train`, `sample` and `set`. */

import type { Data } from "./data.js";

/** The option objects of `Vae.create`. Every default stands in `Vae.catalogue()`. */
export interface VaeOptions extends HostOptions {
  input: Input;
  encoder: Network;
  /** Mirrors the encoder when left out: each layer gives back the size that the encoder's layer took. */
  decoder?: Network;
  latent: Latent;
  likelihood: Likelihood;
  /** `{ kind: "elbo", beta: 1 }` when left out. */
  objective?: Objective;
  /** The law of initial weights: uniform, of Glorot & Bengio 2010 or He et al. 2015. Default `"kaiming"` with a convolutional encoder, else `"glorot"`; biases are 0. */
  init?: "glorot" | "kaiming";
  /** An integer; the same seed gives the same run, bit for bit, on one backend and device. Default 0. */
  seed?: number;
  /** Default `"auto"`. */
  backend?: Backend;
}

/** `"auto"` takes WebGPU on a real adapter, and the CPU (wasm SIMD) on a software adapter or none. */
export type Backend = "auto" | "webgpu" | "cpu";

export type Input = ImageInput | VectorInput;
/** Examples of shape `(height, width, channels)`. */
export interface ImageInput {
  kind: "image";
  height: number;
  width: number;
  channels: number;
}

/** Examples of shape `(size)`: any list of numbers. */
export interface VectorInput {
  kind: "vector";
  size: number;
}

export type Network = Mlp | Conv;
export type Activation = "relu" | "leaky_relu" | "elu" | "silu" | "gelu" | "tanh" | "sigmoid" | "softplus" | "linear";
/** One number for all layers, or one for each. */
export type PerLayer = number | readonly number[];

/** Dense layers of these sizes, each followed by the activation. */
export interface Mlp {
  kind: "mlp";
  hidden: readonly number[];
  /** Default `"relu"`. */
  activation?: Activation;
}

/** Convolutions of these channels, then dense layers; a decoder runs the same list backwards, transposed. */
export interface Conv {
  kind: "conv";
  channels: readonly number[];
  /** Default 4. */
  kernel?: PerLayer;
  /** Default 2; at most the kernel, so that the decoder can mirror the layer. */
  stride?: PerLayer;
  /** Default 1. */
  padding?: PerLayer;
  /** Dense layers between the convolutions and the latent. Default none. */
  hidden?: readonly number[];
  /** Default `"relu"`. */
  activation?: Activation;
}

export type Latent = GaussianLatent;
/** q(z|x) a diagonal Normal of `size` dimensions, p(z) standard Normal. */
export interface GaussianLatent {
  kind: "gaussian";
  size: number;
}

export type Likelihood = BernoulliLikelihood | GaussianLikelihood;
/** p(x|z) Bernoulli from logits; grey values in 0…1 count as probabilities. */
export interface BernoulliLikelihood {
  kind: "bernoulli";
}
/** p(x|z) Normal of fixed standard deviation `sigma`, its constant included. Default 1. */
export interface GaussianLikelihood {
  kind: "gaussian";
  sigma?: number;
}

export type Objective = Elbo;
/** loss = reconstruction + β · KL; β may be moved while training by `vae.set({ beta })`. */
export interface Elbo {
  kind: "elbo";
  /** Default 1. */
  beta?: number;
}

/** How `train` runs: exactly one of `steps` and `epochs`, both counted on from where the model stands. */
export type TrainOptions = (
  | { steps: number; epochs?: undefined }
  | { epochs: number; steps?: undefined }
) &
  TrainSettings;

export interface TrainSettings {
  /** Examples in a step. Default 128. */
  batchSize?: number;
  /** Default 1e-3. */
  learningRate?: number;
  /** Steps between two `"step"` events. Default 50. */
  logEvery?: number;
  optimizer?: Optimizer;
  /** Steps over which the learning rate rises from 0. Default 0. */
  warmupSteps?: number;
  /** What the learning rate does after the warm-up. Default `"constant"`. */
  schedule?: "constant" | "cosine";
  /** Largest global norm of the gradient; larger ones are scaled down. Default: no clipping. */
  clipNorm?: number;
  /** Held-out examples, evaluated at the end of every epoch; read no further labels. */
  validation?: Data;
  /** Aborting stops the training and rejects the iterator with code `"aborted"`; the model can go on. */
  signal?: AbortSignal;
}

export type Optimizer =
  | { kind: "adam"; beta1?: number; beta2?: number; epsilon?: number }
  | { kind: "adamw"; beta1?: number; beta2?: number; epsilon?: number; weightDecay?: number };

/** Live controls of the objective, taken at the next step. */
export interface Controls {
  beta?: number;
}

export interface SampleOptions {
  /** Standard deviation of z ~ p(z). Default 1. */
  temperature?: number;
  /** An integer; the same seed draws the same z. Left out, every call draws anew. */
  seed?: number;
}

export interface EvaluateOptions {
  /** Seed of the noise in E_q; evaluation is deterministic. Default 0. */
  seed?: number;
}

/** The options of `Vae.load`: everything about the model itself is in the file. */
export interface LoadOptions extends HostOptions {
  /** Default `"auto"`. */
  backend?: Backend;
}

/** Where the core runs and where its files are; none of it is needed with a bundler that follows `new URL(…, import.meta.url)`. */
export interface HostOptions {
  /**
   * `true` (the default) starts a module worker of its own for every model; `false` runs on the calling thread,
   * in slices of about 12 ms. A URL (of a copy of `reparam/worker`) or a function making the `Worker` is for
   * bundlers that cannot find the worker by themselves.
   */
  worker?: boolean | string | URL | (() => Worker);
  /** The wasm file, `reparam/reparam_bg.wasm`: its URL, its bytes, or the compiled module. */
  wasm?: WasmSource;
}

export type WasmSource = string | URL | BufferSource | WebAssembly.Module;
