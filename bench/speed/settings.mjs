/** The options of the command line, checked. */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Failure } from "../../scripts/run.mjs";
import { BENCH } from "../lab.mjs";
import { NETS } from "./nets.js";
import { SUBJECTS } from "./subjects.mjs";

const text = (value) => ({ type: "string", default: value });
const flag = { type: "boolean", default: false };

/** `parts`: what can be asked for, by name. */
export function settings(parts) {
  const { values } = parseArgs({
    options: {
      parts: text(Object.keys(parts).join()),
      nets: text(Object.keys(NETS).join()),
      only: text(Object.keys(SUBJECTS).join(";")),
      sizes: text("256,512,1024"),
      batches: text("32,64,128,256,512,1024"),
      widths: text("100,200,400,800,1600"),
      endure: text("10000"),
      rounds: text("5"),
      slice: text("1.5"),
      share: text("30"),
      limit: text("120"),
      loads: text("3"),
      out: text(join(BENCH, "results/speed")),
      "full-batch": flag,
      noise: flag,
      isolated: flag,
    },
  });
  const known = (name, all, separator = ",") => {
    const given = values[name].split(separator);
    const unknown = given.find((word) => !(word in all));
    if (unknown !== undefined) throw new Failure(`--${name} ${unknown}: expected some of ${Object.keys(all).join(`${separator} `)}`);
    return given;
  };
  const number = (name, word = values[name]) => {
    if (!(Number(word) >= 0)) throw new Failure(`--${name} ${word}: expected a number`);
    return Number(word);
  };
  const numbers = (name) => values[name].split(",").map((word) => number(name, word)).sort((a, b) => a - b);
  return {
    parts: known("parts", parts),
    nets: known("nets", NETS),
    names: known("only", SUBJECTS, ";"),
    ...Object.fromEntries(["sizes", "batches", "widths"].map((name) => [name, numbers(name)])),
    ...Object.fromEntries(["rounds", "slice", "share", "limit", "loads", "endure"].map((name) => [name, number(name)])),
    full_batch: values["full-batch"],
    noise: values.noise,
    isolated: values.isolated,
    out: values.out,
  };
}
