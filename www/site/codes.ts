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

  /** KL_j = ½ mean(μ² + σ² − 1 − log σ²), nats, for each dimension j. Kingma and Welling 2014, appendix B. */
  klByDimension(): Float32Array {
    const kl = new Float32Array(this.size);
    for (let i = 0; i < this.mean.length; i++) {
      const mean = this.mean[i]!;
      const logvar = this.logvar[i]!;
      kl[i % this.size]! += (0.5 * (mean * mean + Math.exp(logvar) - 1 - logvar)) / this.count;
    }
    return kl;
  }

  /** The label of the digit whose mean lies nearest to z. */
  nearestLabel(z: Float32Array): number {
    let best = Infinity;
    let label = 0;
    for (let i = 0; i < this.count; i++) {
      let distance = 0;
      for (let j = 0; j < this.size; j++) distance += (this.mean[i * this.size + j]! - z[j]!) ** 2;
      if (distance < best) [best, label] = [distance, this.labels[i]!];
    }
    return label;
  }
}

/** Below this many nats a dimension tells the decoder next to nothing. Burda et al. 2016 cut by the variance of the mean instead. */
export const ACTIVE_NATS = 0.05;
