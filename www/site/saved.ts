/** The options inside a saved model: a .safetensors file opens with a u64 length and that many bytes of JSON, whose `__metadata__` holds text. */
import { SECTIONS } from "./catalogue";
import type { Choice, Config } from "./config";

/** What of the configuration the file states; damage is left for the core to find and to tell. */
export function savedChoices(bytes: Uint8Array): Partial<Config> {
  const options = savedOptions(bytes);
  const found: Partial<Config> = {};
  for (const section of SECTIONS) if (isChoice(options[section])) found[section] = options[section];
  if (typeof options["seed"] === "number") found.seed = options["seed"];
  return found;
}

function savedOptions(bytes: Uint8Array): Record<string, unknown> {
  try {
    const length = Number(new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0, true));
    const header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + length)));
    return JSON.parse(header.__metadata__.options);
  } catch {
    return {};
  }
}

function isChoice(value: unknown): value is Choice {
  return typeof value === "object" && value !== null && "kind" in value && typeof value.kind === "string";
}
