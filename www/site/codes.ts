import { nearest } from "reparam/latents";
import { klPerDimension } from "reparam/measures";

/** Encoded test digits: q(z|x) = N(mean, exp(logvar)) for each. mean, logvar: (count, size). */
export class Codes {
  readonly mean: Float32Array;
  readonly logvar: Float32Array;
  readonly labels: Uint8Array;
  readonly count: number;
  readonly size: number;

  constructor(mean: Float32Array, logvar: Float32Array, labels: Uint8Array) {
    this.mean = mean;
    this.logvar = logvar;
    this.labels = labels;
    this.count = labels.length;
    this.size = mean.length / labels.length;
  }

  /** KL_j, nats, for each dimension j. */
  klByDimension(): Float64Array {
    return klPerDimension({ mean: this.mean, logvar: this.logvar, shape: [this.count, this.size] });
  }

  /** The label of the digit whose mean lies nearest to z. */
  nearestLabel(z: Float32Array): number {
    return this.labels[nearest({ values: this.mean, shape: [this.count, this.size] }, z).indices[0]!]!;
  }
}
