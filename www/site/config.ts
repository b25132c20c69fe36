/** Everything that decides a run. Two pages with the same configuration draw the same curve on the same backend. */
import type { Catalogue, CatalogueEntry, CatalogueParameter, VaeOptions } from "reparam";
import type { Section } from "./catalogue";

export type Value = number | number[];
/** An option object of the package: its kind and that kind's parameters. */
export type Choice = { kind: string } & { [parameter: string]: Value | string };
export const BACKENDS = ["auto", "webgpu", "cpu"] as const;
export type Backend = (typeof BACKENDS)[number];

export interface Config extends Record<Section, Choice> {
  learningRate: number;
  batchSize: number;
  seed: number;
  backend: Backend;
}

/** How the numbers outside the catalogue are bounded. */
export const NUMBERS = {
  learningRate: { default: 1e-3, min: 1e-6, max: 1, integer: false },
  batchSize: { default: 128, min: 1, max: 4096, integer: true },
  seed: { default: 0, min: 0, max: 4294967295, integer: true },
} as const;

export function defaultChoice(variant: CatalogueEntry): Choice {
  return { kind: variant.kind, ...Object.fromEntries(variant.parameters.map(({ name, default: value }) => [name, typeof value === "number" ? value : [...value]])) };
}

export function defaultConfig(catalogue: Catalogue): Config {
  return {
    encoder: defaultChoice(catalogue.encoder[0]!),
    latent: defaultChoice(catalogue.latent[0]!),
    likelihood: defaultChoice(catalogue.likelihood[0]!),
    objective: defaultChoice(catalogue.objective[0]!),
    learningRate: NUMBERS.learningRate.default,
    batchSize: NUMBERS.batchSize.default,
    seed: NUMBERS.seed.default,
    backend: "auto",
  };
}

/** Whether `value` may stand for `parameter`. */
export function fits(value: Value, { type, min, max }: CatalogueParameter): boolean {
  const inRange = (x: number) => Number.isFinite(x) && x >= min && x <= max;
  if (type === "integers") return Array.isArray(value) && value.every((x) => Number.isInteger(x) && inRange(x));
  return typeof value === "number" && inRange(value) && (type === "number" || Number.isInteger(value));
}

export function variantOf(catalogue: Catalogue, section: Section, kind: string): CatalogueEntry | undefined {
  return catalogue[section].find((variant) => variant.kind === kind);
}

export function latentSize(config: Config): number {
  return Number(config.latent["size"]);
}

export function beta(config: Config): number {
  return Number(config.objective["beta"] ?? 1);
}

/** The options of `Vae.create`, for digits of 28 × 28. Kinds and parameters come from the core's catalogue, which may know more than the types here. */
export function modelOptions({ encoder, latent, likelihood, objective, seed, backend }: Config): VaeOptions {
  const options = { input: { kind: "image", height: 28, width: 28, channels: 1 }, encoder, latent, likelihood, objective, seed, backend };
  return options as unknown as VaeOptions;
}

/** Starting points worth seeing. */
export const PRESETS: { name: "digits" | "map" | "convolution"; encoder: string; latent: number }[] = [
  { name: "digits", encoder: "mlp", latent: 20 },
  { name: "map", encoder: "mlp", latent: 2 },
  { name: "convolution", encoder: "conv", latent: 20 },
];
