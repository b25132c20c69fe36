/** The codebook: what each code stands for, most used first, above its colour on the maps; what nothing uses is empty and faint. */
import { html, nothing } from "lit";
import { live } from "lit/directives/live.js";
import { codeColour } from "../code-colours";
import type { Book } from "../book";
import { drawDigits } from "../digits";
import { colour } from "../palette";
import { Part } from "../part";
import { number, t } from "../words";
import { Painting } from "./painting";
import "./codebook.css";

/** Pixels between two tiles. */
const GAP = 1;
/** The share of a tile, at its foot, that shows its colour. */
const STRIP = 1 / 6;
/** Cards narrower than this have small tiles enough with half as many in a row. */
const NARROW_PX = 640;
const ARROWS: Record<string, (columns: number) => number> = {
  ArrowLeft: () => -1,
  ArrowRight: () => 1,
  ArrowUp: (columns) => -columns,
  ArrowDown: (columns) => columns,
};

export class Codebook extends Part {
  #painting = new Painting();
  #resize = new ResizeObserver(() => this.requestUpdate());

  protected override sources() {
    return [...super.sources(), this.studio.pictures.coded];
  }

  protected override render() {
    const { coded, view } = this.studio.pictures;
    const { grid, book } = coded;
    this.hidden = grid === null;
    if (!grid) return nothing;
    return html`
      <header>
        <h2>${t("codebook.title")}</h2>
        <p>${t(grid.isPicture ? "codebook.text" : "codebook.textRow")}</p>
      </header>
      ${grid.levels > 1
        ? html`<label class="field"
            ><span>${t("codebook.level")}</span>
            <select data-testid="book-level" @change=${(event: Event) => this.studio.viewBook(Number((event.target as HTMLSelectElement).value))}>
              ${Array.from({ length: grid.levels }, (_, level) => html`<option value=${level} .selected=${live(level === view.level)}>${number(level + 1)}</option>`)}
            </select></label
          >`
        : nothing}
      <div
        class="tiles"
        tabindex="0"
        role="application"
        aria-label=${t("codebook.label", { n: book?.codes.length ?? 0 })}
        aria-description=${t("codebook.keys")}
        @pointermove=${this.#point}
        @pointerdown=${this.#point}
        @pointerleave=${this.#leave}
        @keydown=${this.#press}
      >
        <canvas class="digits" data-testid="codebook" width="103" height="103"></canvas>
        ${book ? this.#cursor(book) : nothing}
      </div>
      <p class="note" role="status" data-testid="code">${this.#words(book)}</p>
      ${book && book.codes.length < grid.codes ? html`<p class="note">${t("codebook.shown", { n: book.codes.length, codes: grid.codes })}</p>` : nothing}
    `;
  }

  override connectedCallback() {
    super.connectedCallback();
    this.#resize.observe(this);
  }

  override disconnectedCallback() {
    super.disconnectedCallback();
    this.#resize.disconnect();
  }

  protected override updated() {
    const { book } = this.studio.pictures.coded;
    const canvas = this.querySelector("canvas");
    if (!book || !canvas || !this.#painting.isStale(book, this.#columns(book), canvas)) return;
    const { codes, tiles, side, ink, usage } = book;
    const columns = this.#columns(book);
    drawDigits(canvas, tiles, columns, GAP, side);
    const context = canvas.getContext("2d")!;
    const strip = Math.round(STRIP * side);
    codes.forEach((code, i) => {
      const [x, y] = [(i % columns) * (side + GAP), Math.floor(i / columns) * (side + GAP)];
      const isUsed = usage.counts[code]! > 0;
      context.fillStyle = isUsed ? codeColour(code, ink[code]!) : colour("card");
      context.fillRect(x, isUsed ? y + side - strip : y + 1, isUsed ? side : side - 1, isUsed ? strip : side - 1);
    });
  }

  #columns({ codes }: Book): number {
    return (codes.length > 128 ? 2 : 1) * (this.clientWidth < NARROW_PX ? 8 : 16);
  }

  #cursor(book: Book) {
    const at = book.codes.indexOf(this.studio.pictures.coded.selected ?? -1);
    if (at < 0) return nothing;
    const columns = this.#columns(book);
    const rows = Math.ceil(book.codes.length / columns);
    const { side } = book;
    const whole = (count: number) => count * (side + GAP) - GAP;
    const place = (index: number, count: number) => ((100 * index * (side + GAP)) / whole(count)).toFixed(2);
    const size = (count: number) => ((100 * side) / whole(count)).toFixed(2);
    return html`<i style="left: ${place(at % columns, columns)}%; top: ${place(Math.floor(at / columns), rows)}%; width: ${size(columns)}%; height: ${size(rows)}%"></i>`;
  }

  #words(book: Book | null): string {
    const { selected } = this.studio.pictures.coded;
    if (!book || selected === null) return t("codebook.hint");
    const { counts } = book.usage;
    const share = counts[selected]! / counts.reduce((sum, n) => sum + n, 0);
    return counts[selected] === 0 ? t("codebook.unused", { code: selected }) : t("codebook.code", { code: selected, share: number(100 * share, share < 0.01 ? 2 : 1) });
  }

  #point = (event: PointerEvent) => {
    const { coded } = this.studio.pictures;
    const { book } = coded;
    if (!book) return;
    const box = (event.currentTarget as HTMLElement).getBoundingClientRect();
    const columns = this.#columns(book);
    const rows = Math.ceil(book.codes.length / columns);
    const at = (share: number, count: number) => Math.min(count - 1, Math.max(0, Math.floor(share * count)));
    const index = at((event.clientY - box.top) / box.height, rows) * columns + at((event.clientX - box.left) / box.width, columns);
    coded.select(book.codes[index] ?? null);
  };

  /** A finger has left as soon as it has chosen. */
  #leave = (event: PointerEvent) => {
    if (event.pointerType === "mouse") this.studio.pictures.coded.select(null);
  };

  #press = (event: KeyboardEvent) => {
    const { coded } = this.studio.pictures;
    const { book } = coded;
    const move = ARROWS[event.key];
    if (!book || (!move && event.key !== "Escape")) return;
    event.preventDefault();
    if (!move) return coded.select(null);
    const at = book.codes.indexOf(coded.selected ?? -1);
    const next = at < 0 ? 0 : Math.min(book.codes.length - 1, Math.max(0, at + move(this.#columns(book))));
    coded.select(book.codes[next]!);
  };
}
