import type { Encoding } from "reparam";
import { nearest } from "reparam/latents";
import { activeUnits, klPerDimension } from "reparam/measures";

/** Encoded test digits: q(z|x) = N(mean, exp(logvar)) for each, with categorical latents the probabilities, of a codebook the codes. mean: (count, size). */
export class Codes {
  readonly mean: Float32Array;
  readonly labels: Uint8Array;
  /** Of a codebook: which codes they are, (count, places). */
  readonly indices: Float32Array | null;
  readonly count: number;
  readonly size: number;
  /** KL_j to the standard prior, nats, for each dimension, or for each variable of categorical latents; of codes of a codebook none. */
  readonly kl: Float64Array;
  /** Dimensions whose mean changes with x (Burda et al. 2016); entries of a codebook have none. */
  readonly activeUnits: number;

  /** `categories`: of categorical latents, 0 of others. */
  constructor({ mean, logvar, indices }: Encoding, labels: Uint8Array, categories: number) {
    this.mean = mean;
    this.labels = labels;
    this.indices = indices ?? null;
    this.count = labels.length;
    this.size = mean.length / labels.length;
    const shape = [this.count, this.size];
    if (categories > 0) this.kl = klOfCategories(mean, categories, this.size / categories);
    else this.kl = logvar ? klPerDimension({ mean, logvar, shape }) : new Float64Array(0);
    this.activeUnits = indices ? 0 : activeUnits({ values: mean, shape }).count;
  }

  /** The mean of the code of one digit: (size). */
  at(index: number): Float32Array {
    return this.mean.subarray(index * this.size, (index + 1) * this.size);
  }

  /** The mean of the first digit with this label. */
  ofLabel(label: number): Float32Array {
    return this.at(this.firstOf(label));
  }

  /** The codes of a codebook that stand for one digit: (places). */
  indicesAt(index: number): Float32Array {
    const places = this.indices!.length / this.count;
    return this.indices!.subarray(index * places, (index + 1) * places);
  }

  /** Where the first digit with this label is. */
  firstOf(label: number): number {
    return Math.max(0, this.labels.indexOf(label));
  }

  /** The label of the digit whose mean lies nearest to z. */
  nearestLabel(z: Float32Array): number {
    return this.labels[nearest({ values: this.mean, shape: [this.count, this.size] }, z).indices[0]!]!;
  }
}

/** mean_x Σ_k p_k log(p_k · categories) for each variable, the prior being uniform. probabilities: (n, variables, categories). */
function klOfCategories(probabilities: Float32Array, categories: number, variables: number): Float64Array {
  const kl = new Float64Array(variables);
  for (let at = 0; at < probabilities.length; at++) {
    const p = probabilities[at]!;
    if (p > 0) kl[Math.floor(at / categories) % variables]! += p * Math.log(p * categories);
  }
  return kl.map((sum) => (sum * variables * categories) / probabilities.length);
}
