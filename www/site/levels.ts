/** The digits in as many grey levels as a categorical likelihood has classes: class k of C is the value k/(C − 1). */
import type { Config } from "./config";
import type { Digits, DigitSet } from "./mnist";
import { turn } from "./turns";

/** Numbers of classes whose values are bytes, C − 1 being a divisor of 255. */
export const CLASSES = [2, 4, 6, 16];
const SLICE = 1 << 20;

/** The digits as a model of this configuration takes them. */
export async function digitsFor({ likelihood }: Config, digits: Digits): Promise<Digits> {
  if (likelihood.kind !== "categorical") return digits;
  const classes = Number(likelihood["classes"]);
  return { train: await inLevels(digits.train, classes), test: await inLevels(digits.test, classes) };
}

/** Each byte moved to the nearest of the levels, in slices between which the page can draw. */
async function inLevels({ values, ...rest }: DigitSet, classes: number): Promise<DigitSet> {
  const level = Uint8Array.from({ length: 256 }, (_, byte) => Math.round((Math.round((byte * (classes - 1)) / 255) * 255) / (classes - 1)));
  const moved = new Uint8Array(values.length);
  for (let start = 0; start < values.length; start += SLICE) {
    await turn();
    const end = Math.min(values.length, start + SLICE);
    for (let i = start; i < end; i++) moved[i] = level[values[i]!]!;
  }
  return { ...rest, values: moved };
}
