/** Of a conditional model: ten classes at the z of one test digit, row by row. The handwriting stays and the digit changes. */
import { html } from "lit";
import { live } from "lit/directives/live.js";
import { isConditional } from "../config";
import { SIDE, drawDigits } from "../digits";
import { guidance } from "../formulas";
import { Part } from "../part";
import { CLASS_ROWS } from "../walks";
import { number, t } from "../words";
import { Painting } from "./painting";

const GUIDANCE_MAX = 5;
/** The digit that lends its z, then the ten classes. */
const COLUMNS = 11;
const TILE = SIDE * SIDE;

export class Classes extends Part {
  #painting = new Painting();

  protected override render() {
    const { config, pictures } = this.studio;
    const { view } = pictures;
    this.hidden = !isConditional(config);
    return html`
      <header>
        <h2>${t("classes.title")}</h2>
        <p>${t("classes.text")}</p>
        <p class="formula">${guidance}</p>
      </header>
      <canvas class="digits" data-testid="classes" role="img" aria-label=${t("classes.label", { n: CLASS_ROWS })} width="328" height="88"></canvas>
      <div class="row">
        <label class="field slider"
          ><span>${t("classes.guidance")} <output>${number(view.guidance, 1)}</output></span>
          <input
            type="range"
            data-testid="guidance"
            min="0"
            max=${GUIDANCE_MAX}
            step="0.1"
            .value=${live(String(view.guidance))}
            @input=${(event: Event) => this.studio.viewWalks({ guidance: Number((event.target as HTMLInputElement).value) })}
        /></label>
        <button data-testid="new-lenders" @click=${() => this.studio.viewWalks({ lender: view.lender + 1 })}>${t("classes.new")}</button>
      </div>
      <p class="note">${t("classes.note")}</p>
    `;
  }

  protected override updated() {
    const { classes, lenders } = this.studio.pictures;
    if (!lenders || !this.#painting.isStale(classes)) return;
    const tiles = new Float32Array(CLASS_ROWS * COLUMNS * TILE);
    for (let row = 0; row < CLASS_ROWS; row++) {
      const at = row * COLUMNS * TILE;
      tiles.set(Float32Array.from(lenders.values.subarray(row * TILE, (row + 1) * TILE), (byte) => byte / 255), at);
      tiles.set(classes!.subarray(row * 10 * TILE, (row + 1) * 10 * TILE), at + TILE);
    }
    drawDigits(this.querySelector("canvas")!, tiles, COLUMNS);
  }
}
