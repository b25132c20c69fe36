/** Which dimensions of the latent are in use. */

import { columnMeans, columnVariances } from "../algebra/moments.js";
import { type Rows, readNumber, readRows } from "../rows.js";

export interface ActiveUnits {
  count: number;
  /** (size) */
  active: boolean[];
  /** Var_x(E_q[z_j]), with 1/n: (size). */
  variances: Float64Array<ArrayBuffer>;
}

/** The dimensions whose mean changes with x: Var_x(E_{q(z|x)}[z_j]) > threshold. Burda et al. 2016, with 0.01. mean: (n, size). */
export function activeUnits(mean: Rows, { threshold = 0.01 }: { threshold?: number } = {}): ActiveUnits {
  const table = readRows(mean, "mean", { minRows: 2 });
  readNumber(threshold, "threshold", { min: 0 });
  const variances = columnVariances(table, columnMeans(table));
  const active = Array.from(variances, (variance) => variance > threshold);
  return { count: active.filter(Boolean).length, active, variances };
}
