/** Half of a held-out digit's codes kept, the rest drawn from the learnt prior, several times. */
import { html, nothing } from "lit";
import { COMPLETED } from "../code-pictures";
import { GAP, SIDE, drawDigits } from "../digits";
import { colour } from "../palette";
import { Part } from "../part";
import { t } from "../words";
import { Painting } from "./painting";

/** The digit, what of it is kept, the draws. */
const COLUMNS = COMPLETED.draws + 2;
const TILE = SIDE * SIDE;
const PITCH = SIDE + GAP;

export class Completion extends Part {
  #painting = new Painting();

  protected override render() {
    const { pictures, run } = this.studio;
    const { grid } = pictures.coded;
    this.hidden = grid === null;
    if (!grid) return nothing;
    const hasPrior = run.hasPrior;
    return html`
      <header>
        <h2>${t("completion.title")}</h2>
        <p>${grid.isPicture ? t("completion.text") : t("completion.textRow")}</p>
      </header>
      <canvas
        class="digits"
        data-testid="completion"
        role="img"
        aria-label=${t("completion.label", { rows: COMPLETED.rows, draws: COMPLETED.draws })}
        width=${COLUMNS * PITCH - GAP}
        height=${COMPLETED.rows * PITCH - GAP}
        ?hidden=${!hasPrior}
      ></canvas>
      ${hasPrior
        ? html`<div class="row">
            <button data-testid="new-completed" @click=${() => this.studio.viewCompletions({ completed: pictures.view.completed + 1 })}>${t("classes.new")}</button>
            <p class="note">${t("completion.note")}</p>
          </div>`
        : html`<p class="note" data-testid="completion-empty">${t("completion.empty")}</p>`}
    `;
  }

  protected override updated() {
    const { completions, grid } = this.studio.pictures.coded;
    const canvas = this.querySelector("canvas");
    if (!completions || !grid || !canvas || !this.#painting.isStale(completions, canvas)) return;
    const { digits, values } = completions;
    const { rows, draws } = COMPLETED;
    const tiles = new Float32Array(rows * COLUMNS * TILE);
    for (let row = 0; row < rows; row++) {
      const at = row * COLUMNS * TILE;
      const original = Float32Array.from(digits.values.subarray(row * TILE, (row + 1) * TILE), (byte) => byte / 255);
      tiles.set(original, at);
      tiles.set(original, at + TILE);
      tiles.set(values.subarray(row * draws * TILE, (row + 1) * draws * TILE), at + 2 * TILE);
    }
    drawDigits(canvas, tiles, COLUMNS);
    const [across, down] = grid.isPicture ? [SIDE, Math.round((SIDE * Math.ceil(grid.rows / 2)) / grid.rows)] : [SIDE, 0]; // codes that are no picture cover none of it
    const context = canvas.getContext("2d")!;
    context.fillStyle = colour("line");
    for (let row = 0; row < rows; row++) context.fillRect(PITCH, row * PITCH + down, across, SIDE - down);
  }
}
