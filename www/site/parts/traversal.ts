/** One dimension at a time, those that say most first: each row moves one from −3 to 3 standard deviations of the prior. */
import { html } from "lit";
import { hasPlane } from "../config";
import { drawDigits } from "../digits";
import { Part } from "../part";
import { TRAVERSAL } from "../walks";
import { number, t } from "../words";
import { Painting } from "./painting";
import "./traversal.css";

export class Traversal extends Part {
  #painting = new Painting();

  protected override render() {
    const { pictures, config } = this.studio;
    this.hidden = !hasPlane(config);
    const { traversal, codes } = pictures;
    return html`
      <header>
        <h2>${t("traversal.title")}</h2>
        <p>${t("traversal.text")}</p>
      </header>
      <div class="rows">
        <ol aria-hidden="true">
          ${traversal?.dimensions.map((dimension) => html`<li>z${dimension + 1}<small>${codes?.kl[dimension] === undefined ? "" : number(codes.kl[dimension], 1)}</small></li>`)}
        </ol>
        <canvas
          class="digits"
          data-testid="traversal"
          role="img"
          aria-label=${t("traversal.label", { dimensions: traversal?.dimensions.map((dimension) => `z${dimension + 1}`).join(", ") ?? "" })}
          width="268"
          height="178"
        ></canvas>
      </div>
      <p class="note">${t("traversal.note")}</p>
    `;
  }

  protected override updated() {
    const { traversal } = this.studio.pictures;
    if (this.#painting.isStale(traversal)) drawDigits(this.querySelector("canvas")!, traversal!.values, TRAVERSAL.steps);
  }
}
