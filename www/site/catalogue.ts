/** What can be chosen, as the core states it: the controls of the page are built from this, so a new variant appears without new code here. */
import { Vae } from "reparam";

/** The parts of a configuration that have kinds. `ema` is a number of the core; here it is a choice, whose kinds are without and with. */
export const SECTIONS = ["encoder", "latent", "likelihood", "objective", "balance", "flow", "prior", "condition", "ema", "codePrior"] as const;
export type Section = (typeof SECTIONS)[number];
export type Value = number | number[] | string;

export interface Parameter {
  name: string;
  type: "integer" | "number" | "integers" | "choice";
  default: Value;
  min: number;
  max: number;
  /** The words of a choice. */
  choices: string[];
  /** May be changed while a model trains. */
  live: boolean;
}

export interface Variant {
  kind: string;
  parameters: Parameter[];
}

export type Catalogue = Record<Section, Variant[]>;

/** What the page begins with where the core has no default, or one that digits can better. */
const BEGINNINGS: Record<string, Value> = {
  "encoder.mlp.hidden": [400],
  "encoder.conv.channels": [32, 32, 64, 64],
  "encoder.conv.hidden": [256],
  "encoder.residual.channels": [16, 32],
  "latent.gaussian.size": 20,
  "latent.vq.positions": 8,
  "latent.fsq.positions": 8,
  "balance.geco.reconstruction": 100,
  "codePrior.gated.channels": 32,
  "codePrior.gated.layers": 4,
  "codePrior.transformer.width": 64,
  "codePrior.transformer.layers": 2,
};

const bounded = (name: string, type: Parameter["type"], initial: Value, min: number, max: number, live = false): Parameter => ({ name, type, default: initial, min, max, choices: [], live });
/** Of a prior over codes: how many steps one press of its button trains it. */
export const PRIOR_STEPS = 1000;
const STEPS = bounded("steps", "integer", PRIOR_STEPS, 1, 1_000_000);
const NONE: Variant = { kind: "none", parameters: [] };
/** Up to the longest memory that the core takes. */
const EMA: Variant[] = [NONE, { kind: "average", parameters: [bounded("decay", "number", 0.999, 0, 0.999999)] }];

/** What the page shows before the core has loaded. */
export const FALLBACK: Catalogue = {
  encoder: [{ kind: "mlp", parameters: [bounded("hidden", "integers", [400], 1, 4096)] }],
  latent: [{ kind: "gaussian", parameters: [bounded("size", "integer", 20, 1, 512)] }],
  likelihood: [{ kind: "bernoulli", parameters: [] }],
  objective: [{ kind: "elbo", parameters: [bounded("beta", "number", 1, 0, 1e6, true)] }],
  balance: [{ kind: "constant", parameters: [] }],
  flow: [NONE],
  prior: [{ kind: "standard", parameters: [] }],
  condition: [NONE],
  ema: EMA,
  codePrior: [{ kind: "gated", parameters: [STEPS] }],
};

/** The core's catalogue. Where the core cannot be reached the page still shows its controls, and building the model tells why. */
export async function readCatalogue(): Promise<Catalogue> {
  const core = await Vae.catalogue().catch(() => null);
  return core ? pageCatalogue(core) : FALLBACK;
}

/** The core's catalogue with the page's beginnings, and with "none" where a part may be left out. */
export function pageCatalogue(core: CoreCatalogue): Catalogue {
  const variants = (section: CoreSection): Variant[] =>
    core[section].map(({ kind, parameters }) => ({ kind, parameters: parameters.map((parameter) => readParameter(`${section}.${kind}`, parameter)) }));
  const shared = variants("condition").find(({ kind }) => kind === "condition");
  return {
    encoder: variants("encoder"),
    latent: variants("latent"),
    likelihood: variants("likelihood"),
    objective: variants("objective"),
    balance: variants("balance"),
    flow: [NONE, ...variants("flow")],
    prior: variants("prior"),
    condition: [NONE, { kind: "class", parameters: shared?.parameters ?? [] }], // the digits' labels are the one condition that there is
    ema: EMA,
    codePrior: variants("codePrior").map(({ kind, parameters }) => ({ kind, parameters: [STEPS, ...parameters] })),
  };
}

type CoreSection = Exclude<Section, "ema">;
export type CoreCatalogue = Readonly<Record<CoreSection, readonly { kind: string; parameters: readonly CoreParameter[] }[]>>;

/** A parameter without a default has to be given; a choice has no bounds, and the others no choices. */
interface CoreParameter {
  name: string;
  type: Parameter["type"];
  default?: number | string | readonly number[] | null;
  min?: number;
  max?: number;
  choices?: readonly string[];
  live?: boolean;
}

function readParameter(path: string, { name, type, default: initial, min = 0, max = 0, choices = [], live = false }: CoreParameter): Parameter {
  const given = Array.isArray(initial) ? [...initial] : (initial as number | string | null | undefined);
  const least = type === "choice" ? choices[0]! : type === "integers" ? [min] : min;
  return { name, type, default: BEGINNINGS[`${path}.${name}`] ?? given ?? least, min, max, choices: [...choices], live };
}
