import "./base.css";
import { registerElements } from "./elements";

registerElements();
