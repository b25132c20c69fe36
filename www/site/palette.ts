/** The colours of the style sheet, for what is painted on canvases. */

/** Fires "change" when the system turns from light to dark or back. */
export const theme = matchMedia("(prefers-color-scheme: dark)");

/** Counts the turns of the theme, so that a canvas knows that it is stale. */
export let themeVersion = 0;
const cache = new Map<string, string>();
theme.addEventListener("change", () => {
  cache.clear();
  themeVersion += 1;
});

/** The value of `--name`. */
export function colour(name: string): string {
  let value = cache.get(name);
  if (value === undefined) cache.set(name, (value = getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim()));
  return value;
}

/** One colour a digit; a digit is also drawn as its own figure, so colour never stands alone. */
export const digitColour = (digit: number) => colour(`digit-${digit}`);

/** Red, green and blue of a `#rrggbb` colour. */
export function channels(hex: string): [number, number, number] {
  const bits = parseInt(hex.slice(1), 16);
  return [bits >> 16, (bits >> 8) & 255, bits & 255];
}
