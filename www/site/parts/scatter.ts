/** Where the encoder puts held-out digits: their means on the plane, each drawn as its own figure in its own colour. */
import { html } from "lit";
import type { Codes } from "../codes";
import { colour, digitColour, themeVersion } from "../palette";
import { number, t } from "../words";
import { Pad } from "./pad";
import { Painting } from "./painting";

const DIGITS = Array.from({ length: 10 }, (_, digit) => digit);

export class Scatter extends Pad {
  #painting = new Painting();
  /** The digits that stand out; none means all. */
  #chosen = new Set<number>();
  #choice = 0;
  #resize = new ResizeObserver(() => this.requestUpdate());

  protected override render() {
    const { codes } = this.studio.pictures;
    return html`
      ${this.square(
        html`<canvas data-testid="scatter"></canvas>`,
        codes ? t("scatter.label", { n: codes.count }) : t("scatter.empty"),
      )}
      <div class="legend" role="group" aria-label=${t("scatter.legend")}>
        ${DIGITS.map(
          (digit) => html`<button
            class="key"
            style="--key: var(--digit-${digit})"
            aria-pressed=${this.#chosen.has(digit)}
            aria-label=${t("scatter.show", { digit })}
            @click=${() => this.#choose(digit)}
          >
            ${digit}
          </button>`,
        )}
      </div>
    `;
  }

  protected override firstUpdated() {
    this.#resize.observe(this.querySelector("canvas")!);
  }

  protected override updated() {
    const canvas = this.querySelector("canvas")!;
    const { codes, plane } = this.studio.pictures;
    const side = Math.round(canvas.clientWidth * devicePixelRatio);
    if (side === 0 || !this.#painting.isStale(plane, codes, plane.extent, ...plane.axes, this.#choice, side)) return;
    [canvas.width, canvas.height] = [side, side];
    const context = canvas.getContext("2d")!;
    const scale = side / (2 * plane.extent);
    this.#drawPrior(context, side, scale);
    if (codes) this.#drawCodes(context, codes, side, scale);
  }

  protected override toLatent(u: number, v: number): [number, number] {
    const { extent } = this.studio.pictures.plane;
    return [(2 * u - 1) * extent, (2 * v - 1) * extent];
  }

  protected override toSquare(a: number, b: number): [number, number] {
    const { extent } = this.studio.pictures.plane;
    return [(a / extent + 1) / 2, (b / extent + 1) / 2];
  }

  #choose(digit: number) {
    if (!this.#chosen.delete(digit)) this.#chosen.add(digit);
    this.#choice += 1;
    this.requestUpdate();
  }

  /** The prior's rings at 1, 2 and 3 standard deviations, and its axes. */
  #drawPrior(context: CanvasRenderingContext2D, side: number, scale: number) {
    const middle = side / 2;
    context.strokeStyle = colour("line");
    context.fillStyle = colour("muted");
    context.lineWidth = devicePixelRatio;
    context.font = `${11 * devicePixelRatio}px Inter, system-ui, sans-serif`;
    context.beginPath();
    context.moveTo(0, middle);
    context.lineTo(side, middle);
    context.moveTo(middle, 0);
    context.lineTo(middle, side);
    context.stroke();
    for (const deviations of [1, 2, 3]) {
      context.beginPath();
      context.arc(middle, middle, deviations * scale, 0, 2 * Math.PI);
      context.stroke();
      context.fillText(`${number(deviations)}σ`, middle + 3 * devicePixelRatio, middle - deviations * scale - 3 * devicePixelRatio);
    }
  }

  #drawCodes(context: CanvasRenderingContext2D, codes: Codes, side: number, scale: number) {
    const [across, up] = this.studio.pictures.plane.axes;
    const marks = marksOfDigits();
    const faint = (digit: number) => this.#chosen.size > 0 && !this.#chosen.has(digit);
    const draw = (i: number) => {
      const at = i * codes.size;
      const mark = marks[codes.labels[i]!]!;
      context.drawImage(mark, side / 2 + codes.mean[at + across]! * scale - mark.width / 2, side / 2 - codes.mean[at + up]! * scale - mark.height / 2);
    };
    const all = Array.from({ length: codes.count }, (_, i) => i);
    context.globalAlpha = 0.1;
    for (const i of all) if (faint(codes.labels[i]!)) draw(i);
    context.globalAlpha = 0.9;
    for (const i of all) if (!faint(codes.labels[i]!)) draw(i);
    context.globalAlpha = 1;
  }
}

let stamps: { version: string; marks: HTMLCanvasElement[] } | null = null;

/** The ten marks, painted once for a theme and a screen, and copied for every point. */
function marksOfDigits(): HTMLCanvasElement[] {
  const version = `${themeVersion} ${devicePixelRatio}`;
  if (stamps?.version !== version) stamps = { version, marks: DIGITS.map(markOf) };
  return stamps.marks;
}

function markOf(digit: number): HTMLCanvasElement {
  const mark = document.createElement("canvas");
  mark.width = mark.height = 12 * devicePixelRatio;
  const context = mark.getContext("2d")!;
  context.font = `600 ${10.5 * devicePixelRatio}px Inter, system-ui, sans-serif`;
  context.textAlign = "center";
  context.textBaseline = "middle";
  context.fillStyle = digitColour(digit);
  context.fillText(String(digit), mark.width / 2, mark.height / 2);
  return mark;
}
