/** The plane decoded: 20 × 20 digits at points that cut the prior into cells of equal probability. */
import { html } from "lit";
import { drawDigits } from "../digits";
import { CELLS, manifoldPosition, manifoldValue } from "../plane";
import { t } from "../words";
import { Pad } from "./pad";
import { Painting } from "./painting";

export class Manifold extends Pad {
  #painting = new Painting();

  protected override render() {
    return this.square(html`<canvas class="digits" data-testid="manifold" width="560" height="560"></canvas>`, t("manifold.label", { n: CELLS }));
  }

  protected override updated() {
    const { manifold } = this.studio.pictures;
    if (this.#painting.isStale(manifold)) drawDigits(this.querySelector("canvas")!, manifold!, CELLS, 0);
  }

  protected override toLatent(u: number, v: number): [number, number] {
    return [manifoldValue(u), manifoldValue(v)];
  }

  protected override toSquare(a: number, b: number): [number, number] {
    return [manifoldPosition(a), manifoldPosition(b)];
  }
}
