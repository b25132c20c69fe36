/** Where an experiment's figures are kept, and how they are printed. */
import { join } from "node:path";
import { ROOT } from "../../scripts/run.mjs";

export const RESULTS = join(ROOT, "bench/results");

/** quality-NAME.json, or with another ending a file beside it. */
export const resultFile = (name, ending = ".json") => join(RESULTS, `quality-${name}${ending}`);

/** What a row that is held to something adds: `text` says to what, `holds` whether it is so. */
export const bar = (text, holds) => ({ bar: text, holds });

/** The rows of reports whose bar does not hold, in words. */
export const failures = (reports) =>
  reports.flatMap(({ name, rows = [] }) => rows.filter(({ holds }) => holds === false).map(({ row, bar }) => `${name}, ${row}: ${bar}`));

/** Mean, and standard deviation over seeds (n − 1) where there are two or more; a word as it is, nothing as a dash. */
export function cell(value) {
  if (value === undefined) return "–";
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (typeof value === "string") return value;
  const list = [value].flat();
  const mean = list.reduce((a, b) => a + b, 0) / list.length;
  if (list.length < 2) return digits(mean);
  const deviation = Math.sqrt(list.reduce((sum, x) => sum + (x - mean) ** 2, 0) / (list.length - 1));
  return `${digits(mean)} ± ${digits(deviation)}`;
}

/** Two decimals, or three significant digits below 1. */
const digits = (x) => (Math.abs(x) >= 1 || x === 0 ? x.toFixed(2) : x.toPrecision(3));

/** The report of one experiment as Markdown: its title, how it was made, and its rows under every column that any of them has. */
export function markdown({ title, machine, epochs, seeds, seconds, failed, rows = [], pictures = [] }) {
  if (failed) return `**${title}**: failed: ${failed}`;
  const held = ["bar", "holds"]; // after all figures
  const found = new Set(rows.flatMap(Object.keys));
  const columns = [...[...found].filter((name) => !held.includes(name)), ...held.filter((name) => found.has(name))];
  const line = (cells) => `| ${cells.join(" | ")} |`;
  return [
    `**${title}**: ${epochs} epochs, seeds ${seeds.join(", ")}; ${machine}; ${Math.round(seconds)} s.`,
    "",
    line(columns.map((name) => (name === "row" ? "" : name))),
    `|${"---|".repeat(columns.length)}`,
    ...rows.map((row) => line(columns.map((name) => cell(row[name])))),
    ...(pictures.length ? ["", `Pictures: ${pictures.join(", ")}`] : []),
  ].join("\n");
}
