/** A walk between the codes of two held-out digits: along the sphere, straight through probabilities, place by place through codes of a codebook. */
import { html, nothing } from "lit";
import { live } from "lit/directives/live.js";
import { hasPlane, isCode } from "../config";
import { drawDigits } from "../digits";
import { slerp } from "../formulas";
import { Part } from "../part";
import type { View } from "../view";
import { WALK } from "../walks";
import { t } from "../words";
import { Painting } from "./painting";

export class Walk extends Part {
  #painting = new Painting();

  protected override render() {
    const { config } = this.studio;
    return html`
      <header>
        <h2>${t("walk.title")}</h2>
        <p>${t(isCode(config) ? "walk.textCodes" : hasPlane(config) ? "walk.text" : "walk.textStraight")}</p>
        ${hasPlane(config) ? html`<p class="formula">${slerp}</p>` : nothing}
      </header>
      <canvas class="digits" data-testid="walk" role="img" aria-label=${t("walk.label", { n: WALK })} width="298" height="28"></canvas>
      <div class="pair">${this.#end("from", t("walk.from"))} ${this.#end("to", t("walk.to"))}</div>
    `;
  }

  protected override updated() {
    const { walk } = this.studio.pictures;
    if (this.#painting.isStale(walk)) drawDigits(this.querySelector("canvas")!, walk!, WALK);
  }

  #end(end: keyof Pick<View, "from" | "to">, label: string) {
    const { view } = this.studio.pictures;
    return html`<label class="field"
      ><span>${label}</span>
      <select data-testid="walk-${end}" @change=${(event: Event) => this.studio.viewWalks({ [end]: Number((event.target as HTMLSelectElement).value) })}>
        ${Array.from({ length: 10 }, (_, digit) => html`<option value=${digit} .selected=${live(view[end] === digit)}>${t("walk.digit", { digit })}</option>`)}
      </select></label
    >`;
  }
}
