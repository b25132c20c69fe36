/** A configuration as a query string and back: `?encoder=mlp&encoder.hidden=400&latent=gaussian&latent.size=2&…&seed=0`. */
import { SECTIONS, type Catalogue, type Parameter, type Section, type Value } from "./catalogue";
import { BACKENDS, NUMBERS, defaultChoice, defaultConfig, fits, isCode, variantOf, type Backend, type Choice, type Config } from "./config";

/** Kinds that need no word: what is not in the address is these. */
const LEFT_OUT: Partial<Record<Section, string>> = { balance: "constant", flow: "none", prior: "standard", condition: "none", ema: "none" };

export function writeQuery(config: Config): URLSearchParams {
  const query = new URLSearchParams();
  for (const section of SECTIONS) {
    const { kind, ...parameters } = config[section];
    if (LEFT_OUT[section] === kind || (section === "codePrior" && !isCode(config))) continue;
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
    const value = text === null ? undefined : parse(text, NUMBERS[name]);
    if (typeof value === "number") config[name] = value;
  }
  const backend = query.get("backend") as Backend;
  if (BACKENDS.includes(backend)) config.backend = backend;
  return config;
}

/** A parameter's value from text, or undefined where it does not fit. Lists are numbers between commas. */
export function parse(text: string, parameter: Parameter): Value | undefined {
  const value = read(text, parameter);
  return fits(value, parameter) ? value : undefined;
}

function read(text: string, { type, default: initial }: Parameter): Value {
  if (type === "choice") return text;
  if (type === "number") return Number(text.trim().replace(",", ".") || NaN); // a decimal comma is welcome
  const numbers = text.split(",").map((word) => word.trim()).filter((word) => word !== "").map(Number);
  const one = numbers.length === 1 && (type !== "integers" || typeof initial === "number");
  return one ? numbers[0]! : numbers;
}
