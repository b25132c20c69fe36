/** A square over the latent plane: hover, tap or drag, or the arrow keys, move the cursor, and the digit there is decoded at once. */
import { html, type TemplateResult } from "lit";
import { Part } from "../part";
import { t } from "../words";
import "./pad.css";

const KEY_STEP = 0.1;
const KEY_LEAP = 0.5;
const ARROWS: Record<string, [number, number]> = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };

export abstract class Pad extends Part {
  /** The latent coordinates at a place on the square: u to the right and v upwards, 0 … 1. */
  protected abstract toLatent(u: number, v: number): [number, number];
  protected abstract toSquare(a: number, b: number): [number, number];

  protected override sources() {
    return [...super.sources(), this.studio.pictures];
  }

  protected square(canvas: TemplateResult, label: string): TemplateResult {
    const [u, v] = this.toSquare(...this.studio.pictures.plane.cursor);
    return html`<div
      class="pad"
      tabindex="0"
      role="application"
      aria-label=${label}
      aria-description=${t("pad.keys")}
      @pointermove=${this.#point}
      @pointerdown=${this.#point}
      @keydown=${this.#press}
    >
      ${canvas}
      <i class="cursor" style="left: ${(100 * u).toFixed(2)}%; bottom: ${(100 * v).toFixed(2)}%" ?hidden=${Math.min(u, v) < 0 || Math.max(u, v) > 1}></i>
    </div>`;
  }

  #point = (event: PointerEvent) => {
    const box = (event.currentTarget as HTMLElement).getBoundingClientRect();
    const inside = (x: number) => Math.min(1, Math.max(0, x));
    this.studio.pictures.moveCursor(this.toLatent(inside((event.clientX - box.left) / box.width), inside((box.bottom - event.clientY) / box.height)));
  };

  #press = (event: KeyboardEvent) => {
    const { pictures } = this.studio;
    const [a, b] = pictures.plane.cursor;
    const arrow = ARROWS[event.key];
    if (event.key !== "Home" && !arrow) return;
    event.preventDefault();
    const step = event.shiftKey ? KEY_LEAP : KEY_STEP;
    pictures.moveCursor(arrow ? [a + step * arrow[0], b + step * arrow[1]] : [0, 0]);
  };
}
