/** Everything that decides a run. Two pages with the same configuration draw the same curve on the same backend. */
import type { CodePriorOptions, VaeOptions } from "reparam";
import { SECTIONS, type Catalogue, type Parameter, type Section, type Value, type Variant } from "./catalogue";
import { codeGrid, endsInGrid, placesOf } from "./grid";

/** An option object of the package: its kind and that kind's parameters. */
export type Choice = { kind: string } & { [parameter: string]: Value };
export const BACKENDS = ["auto", "webgpu", "cpu"] as const;
export type Backend = (typeof BACKENDS)[number];

export interface Config extends Record<Section, Choice> {
  learningRate: number;
  batchSize: number;
  seed: number;
  backend: Backend;
}

const outside = (name: string, type: Parameter["type"], initial: number, min: number, max: number): Parameter => ({ name, type, default: initial, min, max, choices: [], live: false });

/** The numbers that belong to no variant. */
export const NUMBERS = {
  learningRate: outside("learningRate", "number", 1e-3, 1e-6, 1),
  batchSize: outside("batchSize", "integer", 128, 1, 4096),
  seed: outside("seed", "integer", 0, 0, 2 ** 32 - 1),
};

export function defaultChoice(variant: Variant): Choice {
  return { kind: variant.kind, ...Object.fromEntries(variant.parameters.map((parameter) => [parameter.name, parameter.default])) };
}

export function defaultConfig(catalogue: Catalogue): Config {
  const choices = Object.fromEntries(SECTIONS.map((section) => [section, defaultChoice(catalogue[section][0]!)])) as Record<Section, Choice>;
  return {
    ...choices,
    learningRate: Number(NUMBERS.learningRate.default),
    batchSize: Number(NUMBERS.batchSize.default),
    seed: Number(NUMBERS.seed.default),
    backend: "auto",
  };
}

/** Whether `value` may stand for `parameter`. A list of integers may be one integer where it means the same for every layer. */
export function fits(value: Value, { type, min, max, choices, default: initial }: Parameter): boolean {
  const inRange = (x: number) => Number.isFinite(x) && x >= min && x <= max;
  switch (type) {
    case "choice":
      return choices.includes(String(value));
    case "number":
      return typeof value === "number" && inRange(value);
    case "integer":
      return Number.isInteger(value) && inRange(Number(value));
    case "integers":
      if (typeof value === "number") return typeof initial === "number" && Number.isInteger(value) && inRange(value);
      return Array.isArray(value) && value.every((x) => Number.isInteger(x) && inRange(x));
  }
}

export function variantOf(catalogue: Catalogue, section: Section, kind: string): Variant | undefined {
  return catalogue[section].find((variant) => variant.kind === kind);
}

/** Numbers in z, of all levels and variables together. */
export function latentSize(config: Config): number {
  const { latent } = config;
  const of = (name: string) => Number(latent[name]);
  if (latent.kind === "categorical") return of("variables") * of("categories");
  const grid = codeGrid(config);
  if (grid && latent.kind === "vq2") return placesOf(grid) * of("size");
  if (grid) return grid.rows * grid.cols * (latent.kind === "vq" ? of("size") : (latent["levels"] as readonly number[]).length);
  return latent.kind === "ladder" ? of("lower") + of("upper") : of("size");
}

/** Whether q(z|x) and p(z) are plain Gaussians, so that KL has a closed form for each dimension. */
export function isPlain({ latent, flow, prior }: Config): boolean {
  return latent.kind === "gaussian" && flow.kind === "none" && prior.kind === "standard";
}

/** Whether z is entries of a codebook or a grid: it has no law of its own for each dimension. */
export function isCode({ latent }: Config): boolean {
  return ["vq", "vq2", "fsq"].includes(latent.kind);
}

/** Whether the code is a point that may move: probabilities and entries of a codebook are none. */
export function hasPlane(config: Config): boolean {
  return config.latent.kind !== "categorical" && !isCode(config);
}

/** Whether the loss is reconstruction + β · KL, no more and no less. */
export function isBetaLoss({ objective, balance }: Config): boolean {
  return objective.kind === "elbo" && balance.kind === "constant";
}

export function isConditional({ condition }: Config): boolean {
  return condition.kind !== "none";
}

/** The weight of KL, as far as one number says it. */
export function beta({ objective }: Config): number {
  return ["elbo", "factor", "dip"].includes(objective.kind) ? Number(objective["beta"] ?? 1) : 1;
}

/** The options of `Vae.create`, for digits of 28 × 28. Kinds and parameters come from the core's catalogue, which may know more than the types here. */
export function modelOptions(config: Config): VaeOptions {
  const { encoder, latent, likelihood, objective, balance, flow, prior, condition, ema, seed, backend } = config;
  const { positions, ...onGrid } = latent;
  const placed = isCode(config) && endsInGrid(config) ? onGrid : latent;
  const extended = latent.kind === "gaussian" ? { ...latent, prior, ...(flow.kind === "none" ? {} : { flow }) } : placed;
  const { kind: conditioned, ...conditioning } = condition;
  const options = {
    input: { kind: "image", height: 28, width: 28, channels: 1 },
    ...{ encoder, latent: extended, likelihood, objective, balance },
    ...(conditioned === "none" ? {} : { condition: { classes: 10, ...conditioning } }),
    ...(ema.kind === "none" ? {} : { ema: ema["decay"] }),
    ...{ seed, backend },
  };
  return options as unknown as VaeOptions;
}

/** The network of a prior over codes, and the steps that one press of its button trains it. */
export function priorOptions({ codePrior }: Config): { prior: CodePriorOptions; steps: number } {
  const { steps, ...prior } = codePrior;
  return { prior: prior as unknown as CodePriorOptions, steps: Number(steps) };
}

/** A starting point worth seeing: what it chooses is the first of its kind in all else. */
export interface Preset {
  name: "digits" | "map" | "convolution" | "codes";
  encoder: Choice;
  latent: Choice;
  learningRate: number;
  batchSize: number;
}

const USUAL = { learningRate: Number(NUMBERS.learningRate.default), batchSize: Number(NUMBERS.batchSize.default) };
export const PRESETS: Preset[] = [
  { name: "digits", encoder: { kind: "mlp" }, latent: { kind: "gaussian", size: 20 }, ...USUAL },
  { name: "map", encoder: { kind: "mlp" }, latent: { kind: "gaussian", size: 2 }, ...USUAL },
  { name: "convolution", encoder: { kind: "conv" }, latent: { kind: "gaussian", size: 20 }, ...USUAL },
  // 7 × 7 codes; small batches, since the codebook learns at every step
  { name: "codes", encoder: { kind: "conv", channels: [16, 32], hidden: [] }, latent: { kind: "vq", codes: 64, size: 8 }, learningRate: 2e-3, batchSize: 64 },
];

/** Whether the model is what the preset makes; how it is optimised may differ. */
export function isPreset(config: Config, { encoder, latent }: Preset): boolean {
  const agrees = (chosen: Choice, wanted: Choice) => Object.entries(wanted).every(([name, value]) => String(chosen[name]) === String(value));
  return agrees(config.encoder, encoder) && agrees(config.latent, latent);
}
