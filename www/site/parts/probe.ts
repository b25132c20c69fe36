/** The digit at the cursor, decoded live, with its coordinates in words. */
import { html } from "lit";
import { SIDE, drawDigits } from "../digits";
import { Part } from "../part";
import { number, t } from "../words";
import { Painting } from "./painting";

export class Probe extends Part {
  #painting = new Painting();

  protected override sources() {
    return [...super.sources(), this.studio.pictures];
  }

  protected override render() {
    const { plane, codes } = this.studio.pictures;
    const [a, b] = plane.cursor;
    const place = { a: number(a, 2), b: number(b, 2) };
    return html`
      <canvas class="digits" data-testid="probe" width=${SIDE} height=${SIDE} aria-hidden="true"></canvas>
      <p role="status">
        ${t("probe.place", place)}<br /><span class="note">${codes ? t("probe.near", { digit: codes.nearestLabel(plane.point(a, b)) }) : ""}</span>
      </p>
    `;
  }

  protected override updated() {
    const { probe } = this.studio.pictures;
    if (this.#painting.isStale(probe)) drawDigits(this.querySelector("canvas")!, probe!, 1);
  }
}
