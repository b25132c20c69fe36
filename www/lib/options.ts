/** What a model is made of and how it is trained: the options of `Vae.create`, `train`, `sample` and `set`. */

import type { Data, Labels } from "./data.js";
import type { SamplerParams } from "./samplers/index.js";

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
  /** How reconstruction and KL are weighed, for objectives that have both: `{ kind: "constant" }` when left out. */
  balance?: Balance;
  /** What the model is told beside x: makes it a conditional VAE, whose `train` wants labels. */
  condition?: Condition;
  /** The memory of an average of the parameters, such as 0.999, which everything but training then reads. Default: none. */
  ema?: number;
  /**
   * What training stores the hidden values of encoder and decoder as, between the forward and the backward half of a step. `"f16"` takes half the
   * memory for them where the GPU adapter offers `shader-f16`; elsewhere, and on the CPU, the model is computed in `"f32"`, and `info.precision`
   * says so. Parameters, moments, gradients, draws, losses and every sum are of single precision in either, as are evaluation and samples, so no
   * loss is scaled. A step in which a value is beyond 65504, so that its gradient is not finite, changes nothing and is counted in
   * `skippedSteps`; twenty in a row end the run with the error `"non-finite"`. Default `"f32"`.
   */
  precision?: Precision;
  /** The law of initial weights: uniform, of Glorot & Bengio 2010 or He et al. 2015. Default `"kaiming"` with a convolutional encoder, else `"glorot"`; biases are 0. */
  init?: "glorot" | "kaiming";
  /** An integer; the same seed gives the same run, bit for bit, on one backend and device. Default 0. */
  seed?: number;
  /** Default `"auto"`. */
  backend?: Backend;
  /** Default `"auto"`. */
  tune?: Tune;
  /** Default 1. */
  cores?: Cores;
}

/**
 * How many cores share a training step on the CPU backend, from 1 to 64; `"auto"`: as many as the device has, up to 4. Each computes the gradient of
 * a part of the batch, in a worker of its own that holds a copy of the data set, and the first adds them up in order: the same seed and number of
 * cores give the same run, bit for bit, wherever `info.adapter` is the same, and files hold the number. Where there are no other workers (`worker:
 * false`, `reparam/core`, or they cannot be started) the parts are done one after the other, with the same bits; `"auto"` is 1 there. Each core more
 * costs two copies of the parameters a step, so it is large batches and convolutions that gain. A batch of fewer examples than cores is shared by as
 * many as it has, in one worker. Not shared out, and `info.cores` is 1 then: on WebGPU; codes; the objectives `"tcvae"`, `"factor"`, `"dip"`,
 * `"infovae"` and `"wae"`, and `"iwae"` with the gradient `"dreg"`; balances that look at a batch's mean; the Gaussian scale `"optimal"`.
 */
export type Cores = number | "auto";

/**
 * Whether layouts of matrix products are timed on the GPU, within about 300 ms, before a model's first training. `"auto"`: on a real adapter on which
 * none is remembered (in IndexedDB); `"always"`: whatever is remembered, and on software adapters too; `"off"`: the vendor decides. What is
 * taken stays with the model and its files, as another layout rounds differently.
 */
export type Tune = "auto" | "off" | "always";

/** Single precision, or half where the adapter offers it. */
export type Precision = "f32" | "f16";

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

export type Network = Mlp | Conv | Residual;
export type Activation = "relu" | "leaky_relu" | "elu" | "silu" | "gelu" | "tanh" | "sigmoid" | "softplus" | "linear";
/** One number for all layers, or one for each. */
export type PerLayer = number | readonly number[];

/** Dense layers of these sizes, each followed by the activation. */
export interface Mlp {
  kind: "mlp";
  hidden: readonly number[];
  /** Default `"relu"`. */
  activation?: Activation;
  /** Before every activation (Ba et al. 2016). Default `"none"`. */
  norm?: "none" | "layer";
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
  /** Default `"silu"`: rectified units of these nets die early, by the half. */
  activation?: Activation;
  /** Before every activation. Default `"none"`. */
  norm?: Norm;
  /** Of group norm; a divisor of every layer's channels. Default 8. */
  groups?: number;
}

/** Over all of an example's channels and pixels (Ba et al. 2016), or over groups of channels (Wu & He 2018). */
export type Norm = "none" | "layer" | "group";

/** Stages of these channels, each of which halves the image and then has residual blocks (He et al. 2016, pre-activation); the decoder grows it again. */
export interface Residual {
  kind: "residual";
  /** Default `[32, 64, 128]`. */
  channels?: readonly number[];
  /** Residual blocks of a stage. Default 1. */
  blocks?: number;
  /** Dense layers between the stages and the latent. Default none. */
  hidden?: readonly number[];
  /** Default `"silu"`. */
  activation?: Activation;
  /** Default `"group"`. */
  norm?: Norm;
  /** Of group norm; a divisor of every stage's channels. Default 8. */
  groups?: number;
}

export type Latent = GaussianLatent | CategoricalLatent | LadderLatent | VqLatent | Vq2Latent | FsqLatent;
/** q(z|x) a diagonal Normal of `size` dimensions, p(z) standard Normal, unless a flow or a learnt prior says otherwise. */
export interface GaussianLatent {
  kind: "gaussian";
  size: number;
  /** Carries draws of q on (Rezende & Mohamed 2015; Kingma et al. 2016). */
  flow?: { kind: "planar"; layers?: number } | { kind: "iaf"; layers?: number; hidden?: number };
  /** `"vamp"`: a mixture of q at learnt pseudo-inputs (Tomczak & Welling 2018). */
  prior?: { kind: "standard" } | { kind: "vamp"; components?: number };
}
/** `variables` soft one-hot vectors of `categories` (Jang et al. 2017); the prior is uniform. `temperature` is live. */
export interface CategoricalLatent {
  kind: "categorical";
  variables?: number;
  categories?: number;
  /** Default 0.67. */
  temperature?: number;
}
/** Two levels of Gaussian latents (Sønderby et al. 2016): z is `lower` values, which the decoder reads, and `upper` values above them. */
export interface LadderLatent {
  kind: "ladder";
  lower?: number;
  upper?: number;
  hidden?: number;
}

/**
 * Every vector of the encoder is replaced by the nearest of `codes` learnt ones (van den Oord et al. 2017). Behind convolutions without
 * hidden layers the vectors stand on the grid that the encoder ends in; else there are `positions`. z is `positions · size` values. The
 * prior is uniform and the KL is `positions · levels · log(codes)`. For the objectives `"elbo"` and `"autoencoder"`.
 */
export interface VqLatent {
  kind: "vq";
  /** Default 512. */
  codes?: number;
  /** Values of a vector. Default 64. */
  size?: number;
  /** Vectors of an encoder that ends in no grid. Default 8. */
  positions?: number;
  /** Tables, each for what those before it leave of a vector. Default 1. */
  levels?: number;
  /** Codes move to the mean of what they stand for (`"ema"`, default), or by the optimiser. */
  update?: "ema" | "gradient";
  /** Memory of the means, and of how much each code is used. Default 0.99. */
  decay?: number;
  /** How much vectors are drawn to their codes; live. Default 0.25. */
  commitment?: number;
  /** Codes that fall out of use begin anew as vectors of the batch. Default `true`. */
  restart?: boolean;
  /** Where codes are at first: at vectors of the first batch (`"batch"`, default), or at the centres of clusters of those of the first batches. */
  init?: "batch" | "kmeans";
  /** `"cosine"` compares directions alone. Default `"euclidean"`. */
  distance?: "euclidean" | "cosine";
  /** How gradients pass a code; `"rotation"`: Fifty et al. 2024. Default `"straight_through"`. */
  gradient?: "straight_through" | "rotation";
}
/**
 * Codes on two grids (Razavi et al. 2019, VQ-VAE-2): the one that the encoder's convolutions end in, of even sides, for details, and one of half its
 * rows and columns for what is far-reaching, each with a table of `codes`. z is the coarse vectors, then the fine ones; the codes of an
 * example are those of the coarse grid in raster order, each followed by the four fine ones on it. The prior is uniform.
 */
export interface Vq2Latent extends Omit<VqLatent, "kind" | "positions" | "levels" | "init"> {
  kind: "vq2";
}
/**
 * Every vector has a dimension for each of `levels`, rounded to that many values (Mentzer et al. 2023): as many codes as the product of
 * them, none of which is learnt. Where the vectors stand, and the prior, are as for `"vq"`.
 */
export interface FsqLatent {
  kind: "fsq";
  /** Default `[8, 5, 5, 5]`: 1000 codes. */
  levels?: readonly number[];
  /** Vectors of an encoder that ends in no grid. Default 8. */
  positions?: number;
}

export type Likelihood =
  | BernoulliLikelihood
  | { kind: "continuous_bernoulli" }
  | GaussianLikelihood
  | LaplaceLikelihood
  | { kind: "logistic" }
  | { kind: "logistic_mixture"; components?: number }
  | { kind: "categorical"; classes?: number };
/** p(x|z) Bernoulli from logits; grey values in 0…1 count as probabilities. */
export interface BernoulliLikelihood {
  kind: "bernoulli";
}
/**
 * p(x|z) Normal, its constant included. `scale`: `"fixed"` at `sigma` (default 1), `"learned"` one for all, `"per_value"` from the
 * decoder, or `"optimal"`, the batch's own (Rybkin et al. 2021).
 */
export interface GaussianLikelihood {
  kind: "gaussian";
  scale?: "fixed" | "learned" | "per_value" | "optimal";
  sigma?: number;
}
/** p(x|z) Laplace of scale `b` (default 1), fixed or learned. */
export interface LaplaceLikelihood {
  kind: "laplace";
  scale?: "fixed" | "learned";
  b?: number;
}

/** What training minimises. Numbers are live unless they shape the model: `vae.set({ beta })` moves them while it trains. */
export type Objective =
  | Elbo
  /** −log p(x|z) alone, without noise. */
  | { kind: "autoencoder" }
  /** Chen et al. 2018: the KL in three parts, mutual information, total correlation and dimension-wise KL. */
  | { kind: "tcvae"; alpha?: number; beta?: number; gamma?: number; sampling?: "stratified" | "weighted" }
  /** Kim & Mnih 2018: γ times the total correlation, by a critic. */
  | { kind: "factor"; gamma?: number; beta?: number; hidden?: number; layers?: number; criticRate?: number }
  /** Kumar et al. 2018. */
  | { kind: "dip"; type?: "I" | "II"; lambdaOff?: number; lambdaDiagonal?: number; beta?: number }
  /** Zhao et al. 2019. */
  | { kind: "infovae"; alpha?: number; lambda?: number; kernel?: "imq" | "rbf"; scale?: number }
  /** Tolstikhin et al. 2018. */
  | { kind: "wae"; lambda?: number; kernel?: "imq" | "rbf"; scale?: number }
  /** Burda et al. 2016; `"dreg"`: Tucker et al. 2018. */
  | { kind: "iwae"; samples?: number; gradient?: "standard" | "dreg" }
  /** Ghosh et al. 2020. */
  | { kind: "rae"; beta?: number; decay?: number };
/** loss = reconstruction + β · KL; β may be moved while training by `vae.set({ beta })`. */
export interface Elbo {
  kind: "elbo";
  /** Default 1. */
  beta?: number;
}

/** How reconstruction and KL are weighed; all of it live: `vae.set({ balance: { nats: 0.5 } })`. */
export type Balance =
  | { kind: "constant" }
  /** The KL's weight rises from `from` to its full value over the first `steps` steps. */
  | { kind: "linear"; steps?: number; from?: number }
  /** The same again every `period` steps, over the first `ramp` of each (Fu et al. 2019). */
  | { kind: "cyclical"; period?: number; ramp?: number }
  /** The KL costs nothing below `nats`, per dimension or in total (Kingma et al. 2016). */
  | { kind: "free_bits"; nats?: number; per?: "dimension" | "total" }
  /** γ·|KL − C|, C rising to `capacity` over `steps` (Burgess et al. 2018). */
  | { kind: "capacity"; capacity?: number; steps?: number; gamma?: number }
  /** β moves until the KL is `rate` nats per example. */
  | { kind: "target"; rate?: number; speed?: number }
  /** GECO: the least KL for a reconstruction of at most this many nats per example (Rezende & Viola 2018). */
  | { kind: "geco"; reconstruction: number; speed?: number };

/** Classes, as one-hot vectors or learnt ones, or numbers. In training a condition is left out with probability `dropout` (default 0.1, live). */
export type Condition = (Attribute | { attributes: readonly Attribute[] }) & { dropout?: number };
export type Attribute = { classes: number; embedding?: number } | { size: number };

/** How `train` runs: exactly one of `steps` and `epochs`, both counted on from where the model stands. */
export type TrainOptions = (
  | { steps: number; epochs?: undefined }
  | { epochs: number; steps?: undefined }
) &
  TrainSettings;

/**
 * The prior over a model's codes: p(codes), each code given those before it in raster order, the levels of a position one after the other.
 * Every default stands in `Vae.catalogue().codePrior`.
 */
export type CodePriorOptions =
  /** Masked gated convolutions (van den Oord et al. 2016); `kernel` is odd. */
  | { kind: "gated"; channels?: number; layers?: number; kernel?: number }
  /** A causal transformer, of at most 1024 codes an example; `width` is a multiple of `heads`. */
  | { kind: "transformer"; width?: number; heads?: number; layers?: number };

/** How `trainPrior` runs: as `train`, with what the prior is. */
export type TrainPriorOptions = TrainOptions & {
  /**
   * Left out, or as it was: goes on with the prior there is (`{ kind: "gated" }` where there is none). Another one begins anew and takes the
   * place of the old one when its first step is taken.
   */
  prior?: CodePriorOptions;
  /** Of the prior's first parameters and its order of examples; default the model's. Another one than before begins anew. */
  seed?: number;
};

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

/** Live controls, taken at the next step: numbers of the objective, the latent and the condition by name, and those of the balance. */
export type Controls = Partial<Record<LiveControl, number>> & { balance?: Readonly<Record<string, number | string>> };
export type LiveControl =
  | "alpha" | "beta" | "gamma" | "lambda" | "lambdaOff" | "lambdaDiagonal" | "decay" | "criticRate" // of the objective
  | "temperature" // of categorical latents
  | "commitment" // of codes
  | "dropout"; // of a condition

/** What a conditional model decodes for. */
export interface ConditionOptions {
  /** The numbers of the condition: of one example, for all, or of each in turn. Left out, nothing is known. */
  labels?: number | readonly number[] | Labels;
  /** How far to go towards the condition from where the decoder would be without: 1 (default) as learnt, more exaggerates. */
  guidance?: number;
}

/** How codes are drawn from a learnt prior. */
export interface ChoiceOptions {
  /** Divides the logits; 0 takes the most probable code everywhere. Default 1. */
  temperature?: number;
  /** Only the so many most probable codes of each place are drawn (Fan et al. 2018). */
  topK?: number;
  /** Only the fewest codes that together have so much of the probability are drawn (Holtzman et al. 2020): above 0, at most 1. */
  topP?: number;
}

/** How `complete` draws what is not known. */
export interface CompleteOptions extends ConditionOptions, ChoiceOptions {
  /** An integer; the same seed draws the same codes. Left out, every call draws anew. */
  seed?: number;
}

/** Of a model of codes whose prior was learnt, all but `truncation`; else without `topK` and `topP`. */
export interface SampleOptions extends ConditionOptions, ChoiceOptions {
  /**
   * Where z comes from: `"prior"` (default), the kind of a sampler that was fitted, or what `fitSampler` gave. Of a model of codes the prior is
   * the learnt one, once there is one; `"uniform"` draws every code as likely.
   */
  sampler?: "prior" | "uniform" | SamplerParams["kind"] | SamplerParams;
  /** Factor of the noise of z ~ p(z); with a learnt prior it divides the logits. Default 1. */
  temperature?: number;
  /** Draws of the noise beyond ± this are drawn again. */
  truncation?: number;
  /** An integer; the same seed draws the same z. Left out, every call draws anew. */
  seed?: number;
}

export interface EvaluateOptions {
  /** Seed of the noise in E_q; evaluation is deterministic. Default 0. */
  seed?: number;
}

export interface LikelihoodOptions extends EvaluateOptions {
  /** Draws of z for each example. Default 1000. */
  samples?: number;
}

/** The options of `Vae.load`: everything about the model itself is in the file. */
export interface LoadOptions extends HostOptions {
  /** Default `"auto"`. */
  backend?: Backend;
  /** Default `"auto"`. A file whose training was on this adapter goes on with its own layout. */
  tune?: Tune;
  /** Default: as the file says. */
  cores?: Cores;
}

/** Where the core runs and where its files are; none of it is needed with a bundler that follows `new URL(…, import.meta.url)`. */
export interface HostOptions {
  /**
   * `true` (the default) starts a module worker of its own for every model, and one for each further of its `cores`; `false` runs on the calling
   * thread, in slices of about 12 ms. A URL (of `worker.js` in a copy of the folder `dist`, whose other files it imports, or of `reparam/worker`
   * bundled as an entry of its own) or a function making the `Worker` is for bundlers that cannot find the worker by themselves.
   */
  worker?: boolean | string | URL | (() => Worker);
  /** The wasm file, `reparam/reparam_bg.wasm` or, where browsers have relaxed SIMD, `reparam/reparam_relaxed_bg.wasm`: its URL, its bytes, or the compiled module. */
  wasm?: WasmSource;
}

export type WasmSource = string | URL | BufferSource | WebAssembly.Module;
