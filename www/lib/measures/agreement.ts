/** Whether a classifier sees what it should: for conditional samples, whether they are what they were asked to be. */

import { type Labels, type Rows, readLabels, readRows } from "../rows.js";

export interface Agreement {
  /** Share of examples whose two labels are the same. */
  accuracy: number;
  /** The same for each wanted class; NaN for one that is not there. */
  perClass: Float64Array<ArrayBuffer>;
  /** (classes, classes): how often class row was wanted and class column predicted. */
  confusion: Uint32Array<ArrayBuffer>;
  /** 1 + the largest label on either side. */
  classes: number;
}

/** Compares predicted with wanted labels, one each for n examples. */
export function agreement(predicted: Labels, wanted: Labels): Agreement {
  const n = wanted?.length ?? 0;
  const classes = Math.max(readLabels(wanted, "wanted", n).classes, readLabels(predicted, "predicted", n).classes);
  const confusion = new Uint32Array(classes * classes);
  let same = 0;
  for (let i = 0; i < n; i++) {
    confusion[wanted[i] * classes + predicted[i]]++;
    if (wanted[i] === predicted[i]) same++;
  }
  const perClass = Float64Array.from({ length: classes }, (_, c) => {
    const row = confusion.subarray(c * classes, (c + 1) * classes);
    return row[c] / row.reduce((a, b) => a + b, 0);
  });
  return { accuracy: same / n, perClass, confusion, classes };
}

/** The column of the largest score in each row, the first of equals. scores: (n, classes), as a classifier's logits: (n). */
export function predictedLabels(scores: Rows): Uint32Array<ArrayBuffer> {
  const { values, rows, cols } = readRows(scores, "scores");
  return Uint32Array.from({ length: rows }, (_, i) => {
    let best = 0;
    for (let j = 1; j < cols; j++) if (values[i * cols + j] > values[i * cols + best]) best = j;
    return best;
  });
}
