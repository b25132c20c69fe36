/** What looks wrong in this run, in plain words, each with what to try. */
import { html } from "lit";
import { Part } from "../part";
import { t } from "../words";
import { findingWords } from "../words/findings";
import "./diagnosis.css";

export class Diagnosis extends Part {
  protected override render() {
    const { findings } = this.studio.pictures;
    return html`
      <header>
        <h2>${t("diagnosis.title")}</h2>
        <p>${t("diagnosis.text")}</p>
      </header>
      ${findings === null || this.studio.run.history.length === 0
        ? html`<p class="note">${t("diagnosis.empty")}</p>`
        : findings.length === 0
          ? html`<p class="well" data-testid="well">${t("diagnosis.well")}</p>`
          : html`<ul class="findings">
              ${findings.map((finding) => {
                const { message, tryThis } = findingWords(finding);
                return html`<li data-testid="finding-${finding.code}">
                  <p>${message}</p>
                  <p class="note">${t("diagnosis.try")}</p>
                  <ul class="note">
                    ${tryThis.map((each) => html`<li>${each}</li>`)}
                  </ul>
                </li>`;
              })}
            </ul>`}
    `;
  }
}
