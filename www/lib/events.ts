/** What training reports. All figures are in nats per example: summed over the example, averaged over examples. */

import type { CodeUsage } from "./measures/codes.js";

export type TrainEvent = StepEvent | EpochEvent;

/** Sent at every multiple of `logEvery` and at the last step; figures are means since the previous one. */
export interface StepEvent extends Figures {
  kind: "step";
  /** Steps done by this model in all, counted from 1. */
  step: number;
  /** Epochs done, with fractions. */
  epoch: number;
  /** What is optimised: reconstruction + β · kl for the ELBO. */
  loss: number;
  /** The objective's other parts by name, such as `total_correlation`, and multipliers that balance themselves. */
  terms?: Readonly<Record<string, number>>;
  /**
   * In half precision (`info.precision`): steps since the previous event whose gradient was not finite, and which changed nothing. The figures are
   * the means of the others; where there was no other, no event is sent, and the next counts them.
   */
  skippedSteps?: number;
}

/** Sent at the end of every epoch. */
export interface EpochEvent {
  kind: "epoch";
  epoch: number;
  step: number;
  /** Figures on the held-out examples, where `validation` was given. */
  validation?: Figures;
  /** Of a model of codes: the use of each of its tables over the epoch, as the vectors were coded while it trained. One table a level; of "vq2" the coarse one, then the fine one. */
  codes?: readonly CodeUsage[];
}

/** What `trainPrior` reports; steps are the prior's own, counted from 1. */
export type PriorEvent = PriorStepEvent | PriorEpochEvent;

/** Sent at every multiple of `logEvery` and at the last step; figures are means since the previous one. */
export interface PriorStepEvent extends PriorFigures {
  kind: "step";
  step: number;
  /** The epoch under way, counted from 1. */
  epoch: number;
}

/** Sent at the end of every epoch. */
export interface PriorEpochEvent {
  kind: "epoch";
  epoch: number;
  step: number;
  /** Figures on the held-out examples, where `validation` was given. */
  validation?: PriorFigures;
}

export interface PriorFigures {
  /** −log p(codes) under the learnt prior: nats per example. With the reconstruction it is −ELBO, q of a code being certain. */
  crossEntropy: number;
  /** crossEntropy / (codes of an example · log 2). */
  bitsPerCode: number;
}

export interface Figures {
  /** −(reconstruction + kl), whatever β is. */
  elbo: number;
  /** E_q[−log p(x|z)]. */
  reconstruction: number;
  /** KL(q(z|x) ‖ p(z)), unweighted. */
  kl: number;
  /** −elbo / (values · log 2), from `evaluate` and `validation`, where the likelihood is one of discrete values. */
  bitsPerDimension?: number;
}
