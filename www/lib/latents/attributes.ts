/** Directions that stand for an attribute, from codes with labels. */

import { columnMeans } from "../algebra/moments.js";
import type { Values } from "../data.js";
import { invalid } from "../errors.js";
import { type Labels, type Point, type Rows, type Table, readLabels, readNumber, readPoint, readRows } from "../rows.js";

/** The mean of codes, (n, size): their average as a point (size). */
export function centroid(codes: Rows): Float32Array<ArrayBuffer> {
  return Float32Array.from(columnMeans(readRows(codes, "codes")));
}

/**
 * The mean of the codes labelled `label` minus the mean of the others: (size). Codes are (n, size), one label each.
 * Larsen et al. 2016; `label` is 1 if left out, for labels that say whether an example has the attribute.
 */
export function attributeVector(codes: Rows, labels: Labels, label = 1): Float32Array<ArrayBuffer> {
  const table = readRows(codes, "codes", { minRows: 2 });
  readLabels(labels, "labels", table.rows);
  const [having, lacking] = split(table, labels, label);
  if (having.rows === 0) throw invalid("invalid-data", "labels", `none equal to ${label}`, "examples with the attribute and without");
  if (lacking.rows === 0) throw invalid("invalid-data", "labels", `all equal to ${label}`, "examples with the attribute and without");
  const without = columnMeans(lacking);
  return Float32Array.from(columnMeans(having), (mean, j) => mean - without[j]);
}

/** code + strength · attribute for each of the codes (n, size): strength 1 gives the attribute, −1 takes it away. */
export function applyAttribute(codes: Rows, attribute: Point, strength = 1): Values {
  const { values, rows, cols } = readRows(codes, "codes");
  readPoint(attribute, "attribute", cols);
  readNumber(strength, "strength", { min: -Infinity });
  return { values: Float32Array.from(values, (value, at) => value + strength * attribute[at % cols]), shape: [rows, cols] };
}

/** The rows that have the label, and the others. */
function split({ values, rows, cols }: Table, labels: Labels, label: number): [Table, Table] {
  const [having, lacking]: [number[], number[]] = [[], []];
  for (let i = 0; i < rows; i++) (labels[i] === label ? having : lacking).push(i);
  const take = (chosen: number[]): Table => {
    const taken = new Float64Array(chosen.length * cols);
    chosen.forEach((row, i) => taken.set(values.subarray(row * cols, (row + 1) * cols), i * cols));
    return { values: taken, rows: chosen.length, cols };
  };
  return [take(having), take(lacking)];
}
