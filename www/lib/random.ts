/** The counter-based generator of the core (src/rng.rs), bit for bit: Threefry-2x32-20, Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3". */

export type Words = readonly [number, number];

const ROTATIONS = [13, 15, 26, 6, 17, 29, 16, 24] as const;
const PARITY = 0x1bd11bda; // of the key schedule of the Threefish family
const STREAM_SPREAD = 0x9e3779b9; // 2³²/φ, odd: neighbouring streams differ in many bits of the key

/** Two 32-bit words for each key and counter. */
export function threefry2x32(key: Words, counter: Words): [number, number] {
  const keys = [key[0] | 0, key[1] | 0, PARITY ^ key[0] ^ key[1]] as const;
  let a = (counter[0] + keys[0]) | 0;
  let b = (counter[1] + keys[1]) | 0;
  for (let group = 0; group < 5; group++) {
    for (let i = 0; i < 4; i++) {
      const rotation = ROTATIONS[4 * (group % 2) + i]!;
      a = (a + b) | 0;
      b = ((b << rotation) | (b >>> (32 - rotation))) ^ a;
    }
    a = (a + keys[(group + 1) % 3]!) | 0;
    b = (b + keys[(group + 2) % 3]! + group + 1) | 0;
  }
  return [a >>> 0, b >>> 0];
}

/** A seed from 0 to 2⁵³ − 1 as two words, low first. */
export function seedWords(seed: number): Words {
  return [seed >>> 0, Math.floor(seed / 2 ** 32)];
}

/** The random word of (seed, stream, step, element): an integer from 0 to 2³² − 1. */
export function word(seed: Words, stream: number, step: number, element: number): number {
  return threefry2x32([seed[0], seed[1] ^ Math.imul(stream, STREAM_SPREAD)], [step, element])[0];
}
