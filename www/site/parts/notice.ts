/** What went wrong, in words. */
import { html, nothing } from "lit";
import { Part } from "../part";
import { t } from "../words";

export class Notice extends Part {
  protected override render() {
    const { failure } = this.studio;
    if (!failure) return nothing;
    return html`<div class="notice" role="alert" data-testid="failure">
      <div>
        <strong>${t(failure.title)}</strong>
        <p>${t(failure.advice)}</p>
        <p class="detail" lang="en"><code>${failure.detail}</code></p>
      </div>
      <button @click=${() => this.studio.dismissFailure()}>${t("failure.dismiss")}</button>
    </div>`;
  }
}
