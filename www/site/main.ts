import "./base.css";
import "./playground";
