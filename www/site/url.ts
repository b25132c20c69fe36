/** A configuration as a query string and back: `?encoder=mlp&encoder.hidden=400&latent=gaussian&latent.size=2&…&seed=0`. */
import type { Catalogue, CatalogueParameter } from "reparam";
import { SECTIONS } from "./catalogue";
import { BACKENDS, NUMBERS, defaultChoice, defaultConfig, fits, variantOf, type Backend, type Choice, type Config, type Value } from "./config";

export function writeQuery(config: Config): URLSearchParams {
  const query = new URLSearchParams();
  for (const section of SECTIONS) {
    const { kind, ...parameters } = config[section];
    query.set(section, kind);
    for (const [name, value] of Object.entries(parameters)) query.set(`${section}.${name}`, String(value));
  }
  for (const name of ["learningRate", "batchSize", "seed", "backend"] as const) query.set(name, String(config[name]));
  return query;
}

/** What is missing, unknown or out of range takes its default. */
export function readQuery(query: URLSearchParams, catalogue: Catalogue): Config {
  const config = defaultConfig(catalogue);
  for (const section of SECTIONS) {
    const variant = variantOf(catalogue, section, query.get(section) ?? config[section].kind);
    if (!variant) continue;
    const choice: Choice = defaultChoice(variant);
    for (const parameter of variant.parameters) {
      const text = query.get(`${section}.${parameter.name}`);
      const value = text === null ? undefined : parse(text, parameter);
      if (value !== undefined) choice[parameter.name] = value;
    }
    config[section] = choice;
  }
  for (const name of ["learningRate", "batchSize", "seed"] as const) {
    const text = query.get(name);
    const value = text === null ? undefined : parse(text, { ...NUMBERS[name], name, type: NUMBERS[name].integer ? "integer" : "number" });
    if (typeof value === "number") config[name] = value;
  }
  const backend = query.get("backend") as Backend;
  if (BACKENDS.includes(backend)) config.backend = backend;
  return config;
}

/** A parameter's value from text, or undefined where it does not fit. Lists are numbers between commas. */
export function parse(text: string, parameter: CatalogueParameter): Value | undefined {
  const words = text.split(",").map((word) => word.trim()).filter((word) => word !== "");
  const value = parameter.type === "integers" ? words.map(Number) : words.length === 1 ? Number(words[0]) : NaN;
  return fits(value, parameter) ? value : undefined;
}
