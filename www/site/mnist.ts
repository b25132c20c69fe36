/** The digits: 60,000 to learn from and 10,000 held out, 28 × 28 grey values as bytes. */
export interface DigitSet {
  values: Uint8Array<ArrayBuffer>;
  shape: [number, 28, 28, 1];
  labels: Uint8Array<ArrayBuffer>;
}

export interface Digits {
  train: DigitSet;
  test: DigitSet;
}

export type ToLoader = { folder: string };
export type FromLoader = { kind: "progress"; received: number } | { kind: "digits"; digits: Digits } | { kind: "failed"; message: string };

/** What the four gzipped files weigh together; only the progress bar depends on it. */
const BYTES = 11_463_245;

export class DataMissing extends Error {}

export function loadDigits(onProgress: (share: number) => void): Promise<Digits> {
  const worker = new Worker(new URL("./mnist.worker.ts", import.meta.url), { type: "module" });
  const request: ToLoader = { folder: new URL("data/", document.baseURI).href };
  worker.postMessage(request);
  return new Promise<Digits>((resolve, reject) => {
    worker.onerror = (event) => reject(new DataMissing(event.message));
    worker.onmessage = ({ data: message }: MessageEvent<FromLoader>) => {
      if (message.kind === "progress") onProgress(Math.min(1, message.received / BYTES));
      else if (message.kind === "digits") resolve(message.digits);
      else reject(new DataMissing(message.message));
    };
  }).finally(() => worker.terminate());
}

/** The digits of a set at `indices`, in that order. */
export function pick(set: DigitSet, indices: number[]): DigitSet {
  const values = new Uint8Array(indices.length * 784);
  indices.forEach((index, i) => values.set(set.values.subarray(index * 784, (index + 1) * 784), i * 784));
  return { values, shape: [indices.length, 28, 28, 1], labels: Uint8Array.from(indices, (index) => set.labels[index]!) };
}

/** The first `rounds` of each class, class by class: 0 … 9, 0 … 9, … */
export function firstOfEachClass(set: DigitSet, rounds: number): number[] {
  const found: number[][] = Array.from({ length: 10 }, () => []);
  set.labels.forEach((label, index) => found[label]!.length < rounds && found[label]!.push(index));
  return Array.from({ length: rounds }, (_, round) => found.map((indices) => indices[round]!)).flat();
}
