/** What can be chosen about the pictures: none of it changes the model. */
export const SAMPLER_KINDS = ["prior", "gaussian", "mixture"] as const;
export type SamplerKind = (typeof SAMPLER_KINDS)[number];

export interface View {
  /** Where z of the samples comes from. */
  sampler: SamplerKind;
  temperature: number;
  /** Noise beyond ± this is drawn again; 0 leaves it as it is. */
  truncation: number;
  seed: number;
  /** How far samples go towards their class. */
  guidance: number;
  /** Which test digits lend their z to the row of classes. */
  lender: number;
  /** The classes between which one walks. */
  from: number;
  to: number;
  /** Of codes: whether each is drawn by itself, although a prior was learnt. */
  isUniform: boolean;
  /** Of codes drawn from a prior: the class it is told; null for each of the ten in turn. */
  label: number | null;
  /** Of codes drawn from a prior: how many of the likeliest; 0 for all. */
  topK: number;
  /** Of codes drawn from a prior: those that together have so much of the probability. */
  topP: number;
  /** Which test digits are completed. */
  completed: number;
  /** The codebook in sight, of a residual quantiser. */
  level: number;
}

export const FIRST_VIEW: View = {
  ...{ sampler: "prior", temperature: 1, truncation: 0, seed: 0, guidance: 1, lender: 0, from: 3, to: 8 },
  ...{ isUniform: false, label: null, topK: 0, topP: 1, completed: 0, level: 0 },
};
