/** A part of the page: shows the studio, and is drawn again when the studio, the language or the theme changes. Lives in the page's own tree, under its style. */
import { LitElement } from "lit";
import { theme } from "./palette";
import type { Studio } from "./studio";
import { turn } from "./turns";
import { speech } from "./words";

export abstract class Part extends LitElement {
  static override properties = { studio: { attribute: false } };
  declare studio: Studio;

  protected override createRenderRoot() {
    return this;
  }

  override connectedCallback() {
    super.connectedCallback();
    for (const source of this.sources()) source.addEventListener("change", this.#update);
  }

  override disconnectedCallback() {
    super.disconnectedCallback();
    for (const source of this.sources()) source.removeEventListener("change", this.#update);
  }

  protected override async scheduleUpdate() {
    await turn();
    super.scheduleUpdate();
  }

  /** Whose "change" events draw this part again. */
  protected sources(): EventTarget[] {
    return [this.studio, speech, theme];
  }

  #update = () => this.requestUpdate();
}
