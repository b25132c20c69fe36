/** The run as a link, the model as a file. */
import { html } from "lit";
import { Part } from "../part";
import { t } from "../words";

export class Files extends Part {
  #copied = false;

  protected override render() {
    const { run } = this.studio;
    return html`
      <h2>${t("files.title")}</h2>
      <div class="buttons">
        <button data-testid="copy-link" @click=${this.#copy}>${this.#copied ? t("files.copied") : t("files.copy")}</button>
        <button data-testid="save" ?disabled=${run.model === null} @click=${this.#save}>${t("files.save")}</button>
        <label class="button"
          >${t("files.load")}<input type="file" data-testid="load" accept=".safetensors" class="unseen" @change=${this.#load}
        /></label>
      </div>
      <p class="note">${t("files.note")}</p>
    `;
  }

  #copy = async () => {
    this.studio.writeUrl();
    await navigator.clipboard.writeText(location.href);
    this.#copied = true;
    this.requestUpdate();
    setTimeout(() => {
      this.#copied = false;
      this.requestUpdate();
    }, 2000);
  };

  #save = async () => {
    const bytes = await this.studio.save();
    if (!bytes) return;
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([bytes], { type: "application/octet-stream" }));
    link.download = `reparam-${this.studio.run.step}.safetensors`;
    link.click();
    URL.revokeObjectURL(link.href);
  };

  #load = async (event: Event) => {
    const input = event.target as HTMLInputElement;
    const file = input.files?.[0];
    if (file) this.studio.load(new Uint8Array(await file.arrayBuffer()));
    input.value = ""; // the same file may be chosen again
  };
}
