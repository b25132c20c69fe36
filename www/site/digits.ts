/** Paints digits as ink on paper. */
import { channels, colour, themeVersion } from "./palette";

export const SIDE = 28;
/** Pixels of nothing between two tiles. */
export const GAP = 2;

/** values: (n, side, side), bytes 0 … 255 or floats 0 … 1, drawn as rows of `columns` tiles; `gap` pixels stay clear between them. */
export function drawDigits(canvas: HTMLCanvasElement, values: Float32Array | Uint8Array, columns: number, gap = GAP, side = SIDE) {
  const n = values.length / (side * side);
  const rows = Math.ceil(n / columns);
  const width = columns * (side + gap) - gap;
  const height = rows * (side + gap) - gap;
  if (canvas.width !== width || canvas.height !== height) [canvas.width, canvas.height] = [width, height];
  const image = new ImageData(width, height);
  const pixels = new Uint32Array(image.data.buffer);
  const ink = inkScale();
  const scale = values instanceof Float32Array ? 255 : 1;
  for (let tile = 0; tile < n; tile++) {
    const left = (tile % columns) * (side + gap);
    const top = Math.floor(tile / columns) * (side + gap);
    for (let y = 0; y < side; y++) {
      const from = (tile * side + y) * side;
      const to = (top + y) * width + left;
      for (let x = 0; x < side; x++) pixels[to + x] = ink[Math.min(255, Math.max(0, values[from + x]! * scale)) | 0]!;
    }
  }
  canvas.getContext("2d")!.putImageData(image, 0, 0);
}

let scale: { version: number; pixels: Uint32Array } | null = null;

/** 256 pixels from paper to ink, as little-endian RGBA. */
function inkScale(): Uint32Array {
  if (scale?.version === themeVersion) return scale.pixels;
  const paper = channels(colour("paper"));
  const ink = channels(colour("ink"));
  const pixels = Uint32Array.from({ length: 256 }, (_, i) => {
    const [r, g, b] = paper.map((p, c) => Math.round(p + ((ink[c]! - p) * i) / 255)) as [number, number, number];
    return ((255 << 24) | (b << 16) | (g << 8) | r) >>> 0;
  });
  scale = { version: themeVersion, pixels };
  return pixels;
}
