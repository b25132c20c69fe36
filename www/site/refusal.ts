/** Whether the core takes a configuration, asked before anything starts; a refusal is told in words, with another choice that would do. */
import { ReparamError, Vae } from "reparam";
import type { Catalogue, Section } from "./catalogue";
import { defaultChoice, modelOptions, type Config } from "./config";
import type { Key } from "./words";

export interface Refusal {
  /** Beside whose control it is told. */
  section: Section;
  key: Key;
  /** The core's own words. */
  detail: string;
  /** What was asked for, with as little else changed as makes the core take it; null where that is not to be had. */
  remedy: Config | null;
}

/** Null where the core takes it. `section`: what was changed last, which a remedy leaves as it is. */
export async function refusalOf(config: Config, section: Section, catalogue: Catalogue): Promise<Refusal | null> {
  const error = await faultOf(config);
  if (!error) return null;
  return { section, key: keyOf(error), detail: error.message, remedy: await remedyOf(config, section, catalogue) };
}

async function faultOf(config: Config): Promise<ReparamError | null> {
  try {
    await Vae.check(modelOptions(config));
    return null;
  } catch (error) {
    if (error instanceof ReparamError && error.code === "invalid-option") return error;
    return null; // what keeps the core from loading is told when the model is built
  }
}

function keyOf({ path }: ReparamError): Key {
  if (path === "latent") return "refusal.latent";
  if (path === "balance.kind") return "refusal.balance";
  if (path?.endsWith(".groups")) return "refusal.groups";
  return "refusal.other";
}

/** Sets of sections that are put back to their first kinds, the smallest change first. */
const WAYS: Section[][] = [["balance"], ["flow"], ["prior"], ["flow", "prior"], ["latent", "flow", "prior"], ["balance", "latent", "flow", "prior"], ["objective"], ["objective", "balance"]];

async function remedyOf(config: Config, section: Section, catalogue: Catalogue): Promise<Config | null> {
  for (const way of WAYS) {
    if (way.includes(section)) continue;
    const tried = { ...config, ...Object.fromEntries(way.map((each) => [each, defaultChoice(catalogue[each][0]!)])) };
    if ((await faultOf(tried)) === null) return tried;
  }
  return null;
}

