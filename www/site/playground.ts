/** The page: header, transport, settings at the side, and what the model shows. */
import { LitElement, html } from "lit";
import { live } from "lit/directives/live.js";
import { reparameterisation } from "./formulas";
import "./playground.css";
import { Studio } from "./studio";
import { LANGUAGES, isLanguage, speech, t } from "./words";

/** From this width on the settings stand at the side; below it they fold away. */
const WIDE = matchMedia("(min-width: 62rem)");

export class Playground extends LitElement {
  #studio: Studio;

  constructor() {
    super();
    const query = new URLSearchParams(location.search);
    const asked = query.get("lang");
    speech.speak(isLanguage(asked) ? asked : navigator.language.startsWith("fr") ? "fr" : "en");
    this.#studio = new Studio(query);
    speech.addEventListener("change", () => this.requestUpdate());
    WIDE.addEventListener("change", () => this.requestUpdate());
  }

  protected override createRenderRoot() {
    return this;
  }

  protected override firstUpdated() {
    void this.#studio.open();
  }

  protected override render() {
    const studio = this.#studio;
    return html`
      <a class="skip" href="#model">${t("page.skip")}</a>
      <header class="top">
        <p class="brand"><b>reparam</b><span>${reparameterisation}</span></p>
        <label class="language"
          ><span class="unseen">${t("page.language")}</span>
          <select data-testid="lang" @change=${this.#speak}>
            ${LANGUAGES.map(({ code, name }) => html`<option value=${code} lang=${code} .selected=${live(code === speech.language)}>${name}</option>`)}
          </select></label
        >
      </header>
      <main>
        <div class="intro">
          <h1>${t("page.heading")}</h1>
          <p>${t("page.lead")}</p>
        </div>
        <vae-transport .studio=${studio}></vae-transport>
        <vae-notice .studio=${studio}></vae-notice>
        <div class="board">
          <aside aria-label=${t("settings.title")}>
            <details class="side" ?open=${WIDE.matches}>
              <summary>${t("settings.title")}</summary>
              <vae-settings class="card" .studio=${studio}></vae-settings>
              <vae-device class="card" .studio=${studio}></vae-device>
              <vae-files class="card" .studio=${studio}></vae-files>
            </details>
          </aside>
          <div class="stage" id="model" tabindex="-1">
            <vae-diagram class="card wide" .studio=${studio}></vae-diagram>
            <vae-samples class="card samples" .studio=${studio}></vae-samples>
            <vae-curves class="card curves" .studio=${studio}></vae-curves>
            <vae-prior class="card wide" .studio=${studio}></vae-prior>
            <vae-codebook class="card half" .studio=${studio}></vae-codebook>
            <vae-maps class="card half" .studio=${studio}></vae-maps>
            <vae-usage class="card half" .studio=${studio}></vae-usage>
            <vae-completion class="card half" .studio=${studio}></vae-completion>
            <vae-terms class="card wide" .studio=${studio}></vae-terms>
            <vae-classes class="card wide" .studio=${studio}></vae-classes>
            <vae-latent class="card wide" .studio=${studio}></vae-latent>
            <vae-reconstructions class="card half" .studio=${studio}></vae-reconstructions>
            <vae-units class="card half" .studio=${studio}></vae-units>
            <vae-traversal class="card half" .studio=${studio}></vae-traversal>
            <div class="half column">
              <vae-walk class="card" .studio=${studio}></vae-walk>
              <vae-diagnosis class="card" .studio=${studio}></vae-diagnosis>
            </div>
          </div>
        </div>
      </main>
      <footer>
        <p>${t("page.credit")}</p>
        <p>${t("page.papers")}</p>
      </footer>
    `;
  }

  #speak = (event: Event) => {
    const { value } = event.target as HTMLSelectElement;
    if (!isLanguage(value)) return;
    speech.speak(value);
    this.#studio.writeUrl();
  };
}
