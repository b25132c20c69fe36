/** Held-out digits through the model and back: each row of digits stands above the row of what came back. */
import { html, nothing } from "lit";
import { isCode } from "../config";
import { SIDE, drawDigits } from "../digits";
import { codeReconstruction, reconstruction } from "../formulas";
import { Part } from "../part";
import { number, t } from "../words";
import { Painting } from "./painting";

const COLUMNS = 10;
const ROW = COLUMNS * SIDE * SIDE;

export class Reconstructions extends Part {
  #painting = new Painting();

  protected override render() {
    const { error } = this.studio.pictures;
    return html`
      <header>
        <h2>${t("reconstructions.title")}</h2>
        <p>${t("reconstructions.text")}</p>
        <p class="formula">${isCode(this.studio.config) ? codeReconstruction : reconstruction}</p>
      </header>
      <canvas class="digits" data-testid="recon" role="img" aria-label=${t("reconstructions.label")} width="298" height="118"></canvas>
      <p class="note">${t("reconstructions.rows")}</p>
      ${error ? html`<p class="note">${t("reconstructions.error", { error: number(error.mseOverVariance, 3), n: error.digits })}</p>` : nothing}
    `;
  }

  protected override updated() {
    const { originals, reconstructions } = this.studio.pictures;
    if (!originals || !this.#painting.isStale(originals, reconstructions)) return;
    const rows = originals.values.length / ROW;
    const tiles = new Float32Array(2 * rows * ROW);
    for (let row = 0; row < rows; row++) {
      const part = (values: Float32Array | Uint8Array) => values.subarray(row * ROW, (row + 1) * ROW);
      tiles.set(Float32Array.from(part(originals.values), (byte) => byte / 255), 2 * row * ROW);
      if (reconstructions) tiles.set(part(reconstructions), (2 * row + 1) * ROW);
    }
    drawDigits(this.querySelector("canvas")!, tiles, COLUMNS);
  }
}
