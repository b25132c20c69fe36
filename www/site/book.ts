/** What the codes of a codebook stand for: the mean of held-out digits around the places that have the code. */
import type { CodeUsage } from "reparam/measures";
import { SIDE } from "./digits";
import type { CodeGrid } from "./grid";
import type { DigitSet } from "./mnist";
import { turn } from "./turns";

/** Codes that are shown, the most used first. */
const TILES = 512;
/** Places on a side of what is shown around a code's own, where places are those of a picture. */
const AROUND = 3;
/** Digits between two turns of the page's thread. */
const SLICE = 20;

/** One codebook. */
export interface Book {
  /** Those that are shown, the most used first. */
  codes: number[];
  /** Values 0 … 1: (codes.length, side, side); of a code that nothing uses, zeros. */
  tiles: Float32Array;
  side: number;
  /** For each code of the codebook how dark its own place is, 0 … 1 of the darkest. */
  ink: Float64Array;
  usage: CodeUsage;
}

/** indices: (digits, places); `level`: of a residual quantiser, which codebook. */
export async function bookOf(grid: CodeGrid, level: number, indices: Float32Array, digits: DigitSet, usage: CodeUsage): Promise<Book> {
  const { counts } = usage;
  const codes = Array.from(counts.keys()).sort((a, b) => counts[b]! - counts[a]!).slice(0, TILES);
  const tileOf = new Map(codes.map((code, tile) => [code, tile]));
  const cell = grid.isPicture ? SIDE / grid.rows : SIDE;
  const side = grid.isPicture ? Math.min(SIDE, Math.round(AROUND * cell)) : SIDE;
  const tiles = new Float32Array(codes.length * side * side);
  const ink = new Float64Array(grid.codes);
  const places = grid.rows * grid.cols;
  for (let digit = 0; digit < digits.labels.length; digit++) {
    if (digit % SLICE === SLICE - 1) await turn();
    for (let place = 0; place < places; place++) {
      const code = indices[(digit * places + place) * grid.levels + level]!;
      const [top, left] = grid.isPicture ? [Math.floor(place / grid.cols) * cell, (place % grid.cols) * cell] : [0, 0];
      ink[code]! += meanOf(digits.values, digit, top, left, cell) / counts[code]!;
      const tile = tileOf.get(code);
      if (tile !== undefined) add(tiles, tile, side, digits.values, digit, Math.round(top + (cell - side) / 2), Math.round(left + (cell - side) / 2));
    }
  }
  codes.forEach((code, tile) => {
    for (let i = 0; i < side * side; i++) tiles[tile * side * side + i]! /= 255 * Math.max(1, counts[code]!);
  });
  const darkest = Math.max(...ink) || 1;
  return { codes, tiles, side, ink: ink.map((each) => each / darkest), usage };
}

/** The mean of a square of a digit. */
function meanOf(values: Uint8Array, digit: number, top: number, left: number, cell: number): number {
  const [y0, x0, y1, x1] = [top, left, top + cell, left + cell].map(Math.round) as [number, number, number, number];
  let sum = 0;
  for (let y = y0; y < y1; y++) for (let x = x0; x < x1; x++) sum += values[(digit * SIDE + y) * SIDE + x]!;
  return sum / Math.max(1, (y1 - y0) * (x1 - x0));
}

/** Adds a square of a digit to a tile; beyond its edges there is no ink. */
function add(tiles: Float32Array, tile: number, side: number, values: Uint8Array, digit: number, top: number, left: number) {
  for (let y = Math.max(0, -top); y < Math.min(side, SIDE - top); y++) {
    const from = (digit * SIDE + top + y) * SIDE + left;
    const to = (tile * side + y) * side;
    for (let x = Math.max(0, -left); x < Math.min(side, SIDE - left); x++) tiles[to + x]! += values[from + x]!;
  }
}
