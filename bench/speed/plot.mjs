/** A plot of lines over two logarithmic axes, as SVG. */
const [WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM] = [720, 440, 60, 190, 20, 48];
const COLOURS = ["#1f5fa8", "#c2571a", "#2c7a4b", "#8b3a8f"];

/** `series`: [{ name, points: [[x, y], …] }]; a grey line of slope 1 through the first point of each. */
export function plot({ x, y, series }) {
  const all = series.flatMap(({ points }) => points);
  const range = (i) => [Math.min(...all.map((p) => p[i])) / 1.3, Math.max(...all.map((p) => p[i])) * 1.3];
  const [[x0, x1], [y0, y1]] = [range(0), range(1)];
  const along = (value, from, to) => Math.log(value / from) / Math.log(to / from);
  const px = (value) => LEFT + along(value, x0, x1) * (WIDTH - LEFT - RIGHT);
  const py = (value) => HEIGHT - BOTTOM - along(value, y0, y1) * (HEIGHT - TOP - BOTTOM);
  const at = ([x, y]) => `${px(x).toFixed(1)},${py(y).toFixed(1)}`;
  const text = (x, y, words, more = "") => `<text x="${x}" y="${y}" ${more}>${words}</text>`;
  const line = (points, more) => `<polyline points="${points.map(at).join(" ")}" fill="none" ${more}/>`;

  const lines = [`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="12">`, `<rect width="${WIDTH}" height="${HEIGHT}" fill="white"/>`];
  for (const value of ticks(x0, x1)) {
    lines.push(`<path d="M${px(value)} ${TOP}V${HEIGHT - BOTTOM}" stroke="#ddd"/>`, text(px(value), HEIGHT - BOTTOM + 16, value, 'text-anchor="middle"'));
  }
  for (const value of ticks(y0, y1)) {
    lines.push(`<path d="M${LEFT} ${py(value)}H${WIDTH - RIGHT}" stroke="#ddd"/>`, text(LEFT - 6, py(value) + 4, value, 'text-anchor="end"'));
  }
  lines.push(text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 10, x, 'text-anchor="middle"'), text(16, TOP + 150, y, `text-anchor="middle" transform="rotate(-90 16 ${TOP + 150})"`));
  for (const [i, { name, points }] of series.entries()) {
    const colour = COLOURS[i % COLOURS.length];
    const [a, b] = [points[0], points.at(-1)];
    lines.push(line([a, [b[0], (a[1] * b[0]) / a[0]]], 'stroke="#999" stroke-dasharray="4 3"'), line(points, `stroke="${colour}" stroke-width="2"`));
    lines.push(...points.map((p) => `<circle cx="${px(p[0])}" cy="${py(p[1])}" r="3.5" fill="${colour}"/>`));
    lines.push(text(WIDTH - RIGHT + 16, TOP + 20 + 18 * i, name, `fill="${colour}"`));
  }
  lines.push(text(WIDTH - RIGHT + 16, TOP + 26 + 18 * series.length, "dashed: as operations", 'fill="#777"'), "</svg>");
  return `${lines.join("\n")}\n`;
}

/** 1, 2 and 5 of each power of ten within a range. */
function ticks(from, to) {
  const found = [];
  for (let power = Math.floor(Math.log10(from)); power <= Math.log10(to); power++) for (const of of [1, 2, 5]) found.push(Number(`${of}e${power}`));
  return found.filter((value) => value >= from && value <= to);
}
