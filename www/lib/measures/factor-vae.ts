/** The FactorVAE score: whether holding a factor still holds one dimension of the code still, always the same one. */

import { columnMeans, columnVariances } from "../algebra/moments.js";
import { invalid } from "../errors.js";
import { Draws, STREAM, readSeed } from "../random.js";
import { type Rows, type Table, readNumber } from "../rows.js";
import { type DiscreteFactor, type Factors, discreteFactors, readCodesAndFactors } from "./factors.js";

export interface FactorVaeScore {
  /** Accuracy of the majority vote on votes it has not seen: 1 at best, about 1 / factors by chance. 0 where every dimension is pruned. */
  score: number;
  /** The factor that most votes of each dimension were for; −1 where it got none. */
  factorOf: number[];
  /** Dimensions that take part. */
  kept: boolean[];
}

export interface FactorVaeOptions {
  /** Votes that decide which factor a dimension stands for. Default 10000, as in Locatello et al. 2019. */
  trainVotes?: number;
  /** Votes on which that is tried. Default 5000, ibid. */
  testVotes?: number;
  /** Examples in a vote. Default 64, ibid. */
  batch?: number;
  /** Dimensions whose standard deviation over all codes is below this do not vote. Default 0.05, ibid. */
  leastDeviation?: number;
  /** Default 0. */
  seed?: number;
}

/**
 * A vote: a factor is chosen by chance and an example; `batch` examples that share its value of the factor are drawn, with replacement; the
 * vote is for the dimension whose variance among them, over its variance among all, is least. Kim & Mnih 2018.
 * codes: (n, size); factors: (n, k), discrete, every factor having a value that two examples share.
 */
export function factorVaeScore(codes: Rows, factors: Factors, options: FactorVaeOptions = {}): FactorVaeScore {
  const { trainVotes = 10_000, testVotes = 5_000, batch = 64, leastDeviation = 0.05, seed = 0 } = options;
  for (const [name, votes] of Object.entries({ trainVotes, testVotes })) readNumber(votes, name, { min: 1, whole: true });
  readNumber(batch, "batch", { min: 2, whole: true });
  readNumber(leastDeviation, "leastDeviation", { min: 0 });
  readSeed(seed);
  const read = readCodesAndFactors(codes, factors);
  const size = read.codes.cols;
  const groups = discreteFactors(read.factors).map(examplesByLevel);
  const variances = columnVariances(read.codes, columnMeans(read.codes));
  const kept = Array.from(variances, (variance) => variance > 0 && Math.sqrt(variance) >= leastDeviation);
  if (!kept.includes(true)) return { score: 0, factorOf: kept.map(() => -1), kept };

  const counts = Array.from({ length: size }, () => new Float64Array(groups.length));
  const vote = (index: number) => voteOf(read.codes, groups, kept, variances, batch, new Draws(seed, STREAM.votes, index));
  for (let i = 0; i < trainVotes; i++) {
    const { dimension, factor } = vote(i);
    counts[dimension][factor]++;
  }
  const factorOf = counts.map((votes) => (votes.some((count) => count > 0) ? votes.indexOf(Math.max(...votes)) : -1));
  let right = 0;
  for (let i = 0; i < testVotes; i++) {
    const { dimension, factor } = vote(trainVotes + i);
    if (factorOf[dimension] === factor) right++;
  }
  return { score: right / testVotes, factorOf, kept };
}

/** For each example that shares its level with another, that level's examples. */
interface Groups {
  /** Examples that can be chosen. */
  examples: Uint32Array;
  /** The examples of a level. */
  byLevel: Uint32Array[];
  levelOf: Uint32Array;
}

function examplesByLevel({ levels, of }: DiscreteFactor, k: number): Groups {
  const lists: number[][] = Array.from({ length: levels }, () => []);
  of.forEach((level, i) => lists[level].push(i));
  const examples = Uint32Array.from(of.keys()).filter((i) => lists[of[i]].length > 1);
  if (examples.length === 0) throw invalid("invalid-data", `factors[:, ${k}]`, "a value of its own for every example", "values that examples share");
  return { examples, byLevel: lists.map((list) => Uint32Array.from(list)), levelOf: of };
}

function voteOf(codes: Table, groups: Groups[], kept: boolean[], variances: Float64Array, batch: number, draws: Draws): { dimension: number; factor: number } {
  const { values, cols } = codes;
  const factor = draws.integer(0, groups.length);
  const { examples, byLevel, levelOf } = groups[factor];
  const group = byLevel[levelOf[examples[draws.integer(1, examples.length)]]];
  const drawn = Uint32Array.from({ length: batch }, (_, i) => group[draws.integer(2 + i, group.length)] * cols);
  let [dimension, least] = [-1, Infinity];
  for (let j = 0; j < cols; j++) {
    if (!kept[j]) continue;
    let mean = 0;
    for (const at of drawn) mean += values[at + j] / batch;
    let variance = 0;
    for (const at of drawn) variance += (values[at + j] - mean) ** 2 / batch;
    if (variance / variances[j] < least) [dimension, least] = [j, variance / variances[j]];
  }
  return { dimension, factor };
}
