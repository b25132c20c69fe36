/** The few signs of the page, drawn in the colour of the text around them. */
import { html } from "lit";

const sign = (path: string) => html`<svg class="icon" viewBox="0 0 16 16" aria-hidden="true"><path d=${path}></path></svg>`;

export const playIcon = sign("M4.5 2.6v10.8c0 .6.7 1 1.2.7l8.2-5.4a.8.8 0 0 0 0-1.4L5.7 1.9c-.5-.3-1.2.1-1.2.7z");
export const pauseIcon = sign("M3.5 2.5h3v11h-3zM9.5 2.5h3v11h-3z");
export const stepIcon = sign("M3 2.6v10.8c0 .6.6.9 1.1.6l6.4-4.8V13.5h2v-11h-2v4.3L4.1 2c-.5-.3-1.1 0-1.1.6z");
export const resetIcon = sign("M8 2.2a5.8 5.8 0 1 1-5.6 4.3l1.7.5A4 4 0 1 0 8 4v2.3L4.3 3.1 8 0z");
