/** The options inside a saved model: a .safetensors file opens with a u64 length and that many bytes of JSON, whose `__metadata__` holds text. */
import { PRIOR_STEPS, SECTIONS, type Section } from "./catalogue";
import type { Choice, Config } from "./config";
import { SIDE } from "./digits";

/** Under this key the core writes its options, and where the live controls stood. */
const KEY = "reparam.1";

interface Saved {
  options?: Record<string, unknown>;
  controls?: Record<string, number>;
  /** The prior over its codes, where one was learnt. */
  prior?: { options?: unknown } | null;
}

/** Whose the live controls are that are not the objective's. */
const OWNERS: Partial<Record<string, Section>> = { temperature: "latent", dropout: "condition" };

export class NotForDigits extends Error {}

/** What of the configuration the file states; damage is left for the core to find and to tell. */
export function savedConfig(bytes: Uint8Array): Partial<Config> {
  const { options = {}, controls = {}, prior: learnt } = readSaved(bytes);
  const { height, width, channels } = (options["input"] ?? { height: SIDE, width: SIDE, channels: 1 }) as Record<string, unknown>;
  if (height !== SIDE || width !== SIDE || channels !== 1) throw new NotForDigits(`input ${JSON.stringify(options["input"])}, expected an image of 28 × 28 × 1`);
  const found: Partial<Config> = {};
  for (const section of SECTIONS) if (isChoice(options[section])) found[section] = options[section];
  const { flow = { kind: "none" }, prior = { kind: "standard" }, ...latent } = { ...(options["latent"] as Record<string, unknown> | undefined) };
  if (isChoice(latent)) found.latent = latent;
  if (isChoice(flow)) found.flow = flow;
  if (isChoice(prior)) found.prior = prior;
  const { classes, dropout = 0.1 } = { ...(options["condition"] as Record<string, number> | undefined) };
  found.condition = classes === 10 ? { kind: "class", dropout } : { kind: "none" };
  found.ema = typeof options["ema"] === "number" ? { kind: "average", decay: options["ema"] } : { kind: "none" };
  if (isChoice(learnt?.options)) found.codePrior = { ...learnt.options, steps: PRIOR_STEPS };
  found.balance ??= { kind: "constant" };
  for (const [name, value] of Object.entries(controls)) {
    const owner = found[OWNERS[name] ?? "objective"];
    if (owner) owner[name] = value;
  }
  if (typeof options["seed"] === "number") found.seed = options["seed"];
  return found;
}

function readSaved(bytes: Uint8Array): Saved {
  try {
    const length = Number(new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0, true));
    const header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + length)));
    return JSON.parse(header.__metadata__[KEY]);
  } catch {
    return {};
  }
}

function isChoice(value: unknown): value is Choice {
  return typeof value === "object" && value !== null && "kind" in value && typeof value.kind === "string";
}
