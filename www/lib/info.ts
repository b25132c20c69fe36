/** What a model and the core say about themselves. */

import type { Precision } from "./options.js";

export interface Info {
  /** Which backend runs. */
  backend: "webgpu" | "cpu";
  /** Why this backend was taken, in words. */
  reason: string;
  /** The GPU adapter as far as the browser tells; on the CPU what stands in for it. */
  adapter: string;
  /** Number of trainable parameters. */
  parameters: number;
  /** Bytes that the model and its plans hold on the device. */
  bytes: number;
  /** The latest training plan, or null before the first training. */
  plan: { dispatches: number; text: string } | null;
  /** What training stores hidden values as: `"f16"` where that was asked for and the adapter offers it; a file's run goes on in its own. */
  precision: Precision;
  /** How kernels are laid out on WebGPU; null on the CPU. It is settled when the model's first training begins, and `save` holds it. */
  kernels: KernelInfo | null;
  /** How many cores share a training step on the CPU: the option `cores`, and 1 where steps are not shared out (`Cores`). */
  cores: number;
  /** The prior over the model's codes, or null before `trainPrior` began one. */
  prior: PriorInfo | null;
}

export interface KernelInfo {
  /** Matrix products and convolutions: from registers, `"reg-8x4"`, or through shared memory, `"tile-4x4x8"`; results of a thread, and values of k at a time. */
  products: string;
  /** The adapter's vendor, an earlier tuning, this model's own, or the file that was loaded. */
  from: "table" | "remembered" | "tuned" | "file";
  /** Under which it is remembered: version of the package and of the layouts, vendor, architecture and name of the adapter. */
  key: string;
}

export interface PriorInfo {
  kind: "gated" | "transformer";
  /** Number of its own parameters. */
  parameters: number;
  /** Its steps in all. */
  step: number;
  /** The classes of its labels, of a model without a condition; null where it has none of its own. */
  classes: number | null;
  /** The model's step when the prior last learnt its codes. */
  modelStep: number;
  /** Whether the model stands at that step still. Trained on since, its codes may mean something else: train the prior again. */
  isCurrent: boolean;
}

/** Everything that can be chosen: for each part of the options, its kinds. */
export type Catalogue = Readonly<Record<"encoder" | "latent" | "flow" | "prior" | "likelihood" | "objective" | "balance" | "condition" | "codePrior", readonly CatalogueEntry[]>>;

export interface CatalogueEntry {
  /** The `kind` of the option object. */
  kind: string;
  parameters: readonly CatalogueParameter[];
}

export type CatalogueParameter = NumberParameter | ChoiceParameter;

export interface NumberParameter {
  name: string;
  /** `"integers"` is a list. */
  type: "integer" | "number" | "integers";
  /** Null where it has to be given. */
  default: number | readonly number[] | null;
  /** The smallest and the largest value taken, of each element where it is a list. */
  min: number;
  max: number;
  /** Whether `vae.set` can move it. */
  live: boolean;
}

export interface ChoiceParameter {
  name: string;
  type: "choice";
  default: string;
  choices: readonly string[];
}
