/** Laws to draw latent points from, in place of the prior: the registry of their kinds, and what is done with any of them. */

import { invalid, nameOf } from "../errors.js";
import type { CatalogueEntry, CatalogueParameter } from "../info.js";
import { readSeed } from "../random.js";
import { type Rows, readNumber, readRows } from "../rows.js";
import { gaussian, type GaussianOptions, type GaussianParams } from "./gaussian.js";
import { mixture, type MixtureOptions, type MixtureParams } from "./mixture.js";
import { Noise, type DrawOptions } from "./noise.js";
import { normal, type NormalOptions, type NormalParams } from "./normal.js";
import type { Sampler } from "./sampler.js";

export type { DrawOptions, GaussianOptions, GaussianParams, MixtureOptions, MixtureParams, NormalOptions, NormalParams };

export type SamplerOptions = NormalOptions | GaussianOptions | MixtureOptions;
/** What `fitSampler` found: plain data, to be kept with the model. */
export type SamplerParams = NormalParams | GaussianParams | MixtureParams;

export const SAMPLERS = { normal, gaussian, mixture } as const;

/** The kinds with what can be chosen, as the core's catalogue gives its own. */
export const SAMPLER_CATALOGUE: readonly CatalogueEntry[] = Object.values(SAMPLERS).map(({ kind, parameters }) => ({ kind, parameters }));

/** Fits a sampler to codes (n, size): means of q(z|x), or draws from it. Deterministic in the seed. */
export function fitSampler(codes: Rows, options: SamplerOptions, seed = 0): SamplerParams {
  if (typeof options !== "object" || options === null) throw invalid("invalid-option", "sampler", nameOf(options), "{ kind, … }");
  const sampler = find(options.kind, "kind");
  return sampler.fit(readRows(codes, "codes"), readOptions(sampler, options), readSeed(seed));
}

/** n points of the latent space: (n, size), row-major. */
export function drawSamples(params: SamplerParams, n: number, options: DrawOptions = {}): Float32Array<ArrayBuffer> {
  const sampler = checked(params);
  readNumber(n, "n", { min: 1, whole: true });
  return sampler.draw(params, n, new Noise(options));
}

/** log of the sampler's density, at temperature 1 and untruncated, at each of the points (n, size): (n), nats. */
export function logProb(params: SamplerParams, points: Rows): Float64Array<ArrayBuffer> {
  return checked(params).logProb(params, readRows(points, "points", { cols: params.size }));
}

type AnySampler = Sampler<SamplerOptions, SamplerParams>;

function find(kind: string, path: string): AnySampler {
  if (!Object.hasOwn(SAMPLERS, kind)) throw invalid("invalid-option", path, String(kind), Object.keys(SAMPLERS).join(", "));
  return SAMPLERS[kind as keyof typeof SAMPLERS] as unknown as AnySampler; // the kind says which options and params it takes
}

/** The sampler of these params, once their arrays have the lengths it expects. */
function checked(params: SamplerParams): AnySampler {
  if (typeof params !== "object" || params === null) throw invalid("invalid-data", "params", nameOf(params), "what fitSampler gave");
  const sampler = find(params.kind, "params.kind");
  readNumber(params.size, "params.size", { min: 1, whole: true });
  const fields: Record<string, unknown> = { ...params };
  for (const parameter of sampler.parameters) if (parameter.name in params) readParameter(parameter, fields[parameter.name], `params.${parameter.name}`);
  for (const [name, length] of Object.entries(sampler.lengths(params))) {
    const array = fields[name];
    if (!(array instanceof Float32Array)) throw invalid("invalid-data", `params.${name}`, nameOf(array), "a Float32Array");
    if (array.length !== length) throw invalid("invalid-data", `params.${name}`, `${array.length} values`, `${length}`);
  }
  return sampler;
}

/** The options with their defaults, each within its range. */
function readOptions({ parameters }: AnySampler, options: SamplerOptions): Required<SamplerOptions> {
  const given: Record<string, unknown> = { ...options };
  const names = ["kind", ...parameters.map(({ name }) => name)];
  const unknown = Object.keys(given).find((name) => !names.includes(name));
  if (unknown !== undefined) throw invalid("invalid-option", unknown, String(given[unknown]), `one of ${names.join(", ")}`);
  for (const parameter of parameters) readParameter(parameter, (given[parameter.name] ??= parameter.default), parameter.name);
  return given as unknown as Required<SamplerOptions>;
}

function readParameter(parameter: CatalogueParameter, value: unknown, path: string): void {
  if (parameter.type !== "choice") readNumber(value, path, { min: parameter.min, max: parameter.max, whole: parameter.type === "integer" });
  else if (!parameter.choices.includes(value as string)) throw invalid("invalid-option", path, String(value), parameter.choices.join(" or "));
}
