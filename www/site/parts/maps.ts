/** Held-out digits above the codes that stand for them, each place in its code's colour, which shows the ink there; the code that is looked at stands out wherever it is. */
import { html, nothing } from "lit";
import { codeColour } from "../code-colours";
import { SIDE, drawDigits } from "../digits";
import type { CodeGrid } from "../grid";
import { colour } from "../palette";
import { Part } from "../part";
import { turn } from "../turns";
import { t } from "../words";
import { Painting } from "./painting";
import "./maps.css";

/** Pixels of a place on the canvas; the page scales them. */
const CELL = 16;
const FRAME = 2;
/** How much is left of the colour of codes that are not looked at. */
const FAINT = 0.18;
const ARROWS: Record<string, [across: number, down: number]> = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

export class Maps extends Part {
  #digits = new Painting();
  #painting = new Painting();
  /** The place that the arrow keys have reached: which digit, row, column. */
  #at: [digit: number, row: number, col: number] = [0, 0, 0];

  protected override sources() {
    return [...super.sources(), this.studio.pictures.coded];
  }

  protected override render() {
    const { grid, maps } = this.studio.pictures.coded;
    this.hidden = grid === null;
    if (!grid) return nothing;
    const count = maps?.digits.labels.length ?? 0;
    return html`
      <header>
        <h2>${t("maps.title")}</h2>
        <p>${grid.isPicture ? t("maps.text", { rows: grid.rows, cols: grid.cols }) : t("maps.textRow", { cols: grid.cols })}</p>
      </header>
      <div class="maps" tabindex="0" role="application" data-testid="maps" aria-label=${t("maps.label", { n: count })} aria-description=${t("maps.keys")} @keydown=${this.#press}>
        ${Array.from(
          { length: count },
          (_, digit) => html`<div>
            <canvas class="digits" width=${SIDE} height=${SIDE}></canvas>
            <canvas
              class="map"
              width=${grid.cols * CELL}
              height=${grid.rows * CELL}
              @pointermove=${(event: PointerEvent) => this.#point(event, digit)}
              @pointerdown=${(event: PointerEvent) => this.#point(event, digit)}
              @pointerleave=${this.#leave}
            ></canvas>
          </div>`,
        )}
      </div>
      ${count === 0 ? html`<p class="note">${t("maps.empty")}</p>` : html`<p class="note">${t("maps.note")}</p>`}
    `;
  }

  protected override async updated() {
    const { grid, maps, book, selected } = this.studio.pictures.coded;
    if (!grid || !maps || !book) return;
    const canvases = this.querySelectorAll("canvas");
    if (this.#digits.isStale(maps.digits, canvases[0])) {
      for (let i = 0; i < maps.digits.labels.length; i++) drawDigits(canvases[2 * i]!, maps.digits.values.subarray(i * SIDE * SIDE, (i + 1) * SIDE * SIDE), 1);
    }
    if (!this.#painting.isStale(book, maps, selected, canvases[0])) return;
    await turn();
    for (let i = 0; i < maps.digits.labels.length; i++) {
      const context = canvases[2 * i + 1]?.getContext("2d");
      if (!context) return; // another model has come
      context.clearRect(0, 0, grid.cols * CELL, grid.rows * CELL);
      for (let place = 0; place < grid.rows * grid.cols; place++) {
        const code = this.#code(grid, i, place)!;
        const [x, y] = [(place % grid.cols) * CELL, Math.floor(place / grid.cols) * CELL];
        context.globalAlpha = selected === null || selected === code ? 1 : FAINT;
        context.fillStyle = codeColour(code, book.ink[code]!);
        context.fillRect(x, y, CELL, CELL);
        if (selected !== code) continue;
        context.strokeStyle = colour("focus"); // blank paper stands out too
        context.lineWidth = FRAME;
        context.strokeRect(x + FRAME / 2, y + FRAME / 2, CELL - FRAME, CELL - FRAME);
      }
      context.globalAlpha = 1;
    }
  }

  #code({ rows, cols, levels }: CodeGrid, digit: number, place: number): number | undefined {
    const { level } = this.studio.pictures.view;
    return this.studio.pictures.coded.maps?.indices[(digit * rows * cols + place) * levels + level];
  }

  #point(event: PointerEvent, digit: number) {
    const { grid } = this.studio.pictures.coded;
    if (!grid) return;
    const box = (event.currentTarget as HTMLElement).getBoundingClientRect();
    const at = (share: number, count: number) => Math.min(count - 1, Math.max(0, Math.floor(share * count)));
    this.#at = [digit, at((event.clientY - box.top) / box.height, grid.rows), at((event.clientX - box.left) / box.width, grid.cols)];
    this.#look(grid);
  }

  #leave = (event: PointerEvent) => {
    if (event.pointerType === "mouse") this.studio.pictures.coded.select(null);
  };

  /** From place to place, and over the side of a map into the next digit's. */
  #press = (event: KeyboardEvent) => {
    const { coded } = this.studio.pictures;
    const { grid, maps } = coded;
    const arrow = ARROWS[event.key];
    if (!grid || !maps || (!arrow && event.key !== "Escape")) return;
    event.preventDefault();
    if (!arrow) return coded.select(null);
    let [digit, row, col] = this.#at;
    row = Math.min(grid.rows - 1, Math.max(0, row + arrow[1]));
    col += arrow[0];
    if (col < 0 || col >= grid.cols) {
      digit = Math.min(maps.digits.labels.length - 1, Math.max(0, digit + arrow[0]));
      col = col < 0 ? grid.cols - 1 : 0;
    }
    this.#at = [digit, row, col];
    this.#look(grid);
  };

  #look(grid: CodeGrid) {
    const [digit, row, col] = this.#at;
    this.studio.pictures.coded.select(this.#code(grid, digit, row * grid.cols + col) ?? null);
  }
}
