/** A colour for each code: a hue as far from those of its neighbours in number as may be, the stronger the more ink the code stands for. */
import { theme } from "./palette";

/** Degrees between one number's hue and the next's: the golden angle never comes round. */
const GOLDEN_ANGLE = 137.508;
/** Lightness and saturation of a code of blank paper and of one of ink, on light and on dark pages. */
const BLANK = { light: [0.93, 0.3], dark: [0.17, 0.2] } as const;
const INK = { light: [0.36, 0.6], dark: [0.68, 0.6] } as const;

/** As CSS. `ink`: 0 … 1. */
export function codeColour(code: number, ink: number): string {
  const page = theme.matches ? "dark" : "light";
  const share = Math.sqrt(ink); // thin strokes are strokes
  const between = (i: 0 | 1) => (100 * (BLANK[page][i] + (INK[page][i] - BLANK[page][i]) * share)).toFixed(1);
  return `hsl(${((code * GOLDEN_ANGLE) % 360).toFixed(1)} ${between(1)}% ${between(0)}%)`;
}
