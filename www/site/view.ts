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
}

export const FIRST_VIEW: View = { sampler: "prior", temperature: 1, truncation: 0, seed: 0, guidance: 1, lender: 0, from: 3, to: 8 };
