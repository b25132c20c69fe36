/** What an encoder's layers make of 28 × 28, and the grid of codes that stands for a digit where the latent is codes. */
import { isCode, type Config } from "./config";
import { SIDE } from "./digits";

/** Codes of one digit in raster order, the levels of a place side by side. Each is one of `codes`. */
export interface CodeGrid {
  rows: number;
  cols: number;
  levels: number;
  codes: number;
  /** Whether a place of the grid is a place of the picture; else all of the codes speak of all of it. */
  isPicture: boolean;
}

/** The side of the image after each convolution or stage. */
export function sidesOf({ encoder }: Config): number[] {
  const at = (name: string, layer: number) => Number(Array.isArray(encoder[name]) ? encoder[name][layer] : encoder[name]);
  let side = SIDE;
  return list(encoder["channels"]).map((_, layer) => {
    side = encoder.kind === "residual" ? Math.ceil(side / 2) : Math.floor((side + 2 * at("padding", layer) - at("kernel", layer)) / at("stride", layer)) + 1;
    return side;
  });
}

/** Whether the encoder ends in places of the picture, not in a dense layer: codes then stand on them, and their number is not chosen. */
export function endsInGrid({ encoder }: Config): boolean {
  return encoder.kind !== "mlp" && list(encoder["hidden"]).length === 0;
}

/** Whether two grids of codes can stand on what the encoder ends in, one of half the other's rows. */
export function endsInEvenGrid(config: Config): boolean {
  return endsInGrid(config) && (sidesOf(config).at(-1) ?? 1) % 2 === 0;
}

/** Null where the latent is no codes. */
export function codeGrid(config: Config): CodeGrid | null {
  const { latent } = config;
  if (!isCode(config)) return null;
  const isPicture = endsInGrid(config);
  const side = sidesOf(config).at(-1) ?? SIDE;
  const [rows, cols] = isPicture ? [side, side] : [1, Number(latent["positions"])];
  if (latent.kind === "vq") return { rows, cols, levels: Number(latent["levels"]), codes: Number(latent["codes"]), isPicture };
  // A code of the coarse grid and the four of the fine one on it.
  if (latent.kind === "vq2") return { rows: rows / 2, cols: cols / 2, levels: 5, codes: Number(latent["codes"]), isPicture };
  return { rows, cols, levels: 1, codes: list(latent["levels"]).reduce((product, levels) => product * levels, 1), isPicture };
}

export const placesOf = ({ rows, cols, levels }: CodeGrid) => rows * cols * levels;

const list = (value: unknown): number[] => (Array.isArray(value) ? value : []);
