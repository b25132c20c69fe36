/** Grids of pictures, for the eye: one row over another, as the bytes of a PNG file. */
import { PNG } from "pngjs";

const GAP = 2;

/**
 * `rows`: { values, shape (n, height, width, channels) } of one size, 1 or 3 channels, bytes 0…255 or floats 0…1; `columns` pictures of each
 * at most. Returns { width, height, data }, RGBA, with white between the pictures.
 */
export function grid(rows, columns = 16) {
  const [, tall, wide, channels] = rows[0].shape;
  const n_columns = Math.min(columns, Math.max(...rows.map(({ shape }) => shape[0])));
  const [width, height] = [n_columns * (wide + GAP) - GAP, rows.length * (tall + GAP) - GAP];
  const data = new Uint8Array(width * height * 4).fill(255);
  rows.forEach(({ values, shape }, row) => {
    if (String(shape.slice(1)) !== String([tall, wide, channels])) throw new Error(`row ${row}: pictures of ${shape.slice(1).join(" × ")}, in the first row ${tall} × ${wide} × ${channels}`);
    const scale = values instanceof Float32Array ? 255 : 1;
    for (let i = 0; i < Math.min(n_columns, shape[0]); i++)
      for (let y = 0; y < tall; y++)
        for (let x = 0; x < wide; x++) {
          const from = ((i * tall + y) * wide + x) * channels;
          const to = 4 * ((row * (tall + GAP) + y) * width + i * (wide + GAP) + x);
          for (let c = 0; c < 3; c++) data[to + c] = Math.round(Math.min(255, Math.max(0, values[from + (c % channels)] * scale)));
        }
  });
  return { width, height, data };
}

export function png(rows, columns) {
  const { width, height, data } = grid(rows, columns);
  const image = new PNG({ width, height });
  image.data = Buffer.from(data.buffer);
  return PNG.sync.write(image, { colorType: 2 });
}
