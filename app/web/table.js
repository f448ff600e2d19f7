// Many pictures as a table to sort, and as a CSV file with the columns of `python -m app classify`.

import { element } from "./elements.js";
import * as words from "./words.js";

const COLUMNS = {
  File: (picture) => picture.name,
  Answer: (picture) => picture.error ?? words.label(picture.answer),
  Probability: (picture) => picture.answer?.confidence,
  Strangeness: (picture) => picture.answer?.ood_score,
  "DICOM header": (picture) => picture.answer?.dicom && words.header(picture.answer.dicom),
  Agreement: (picture) => picture.answer?.dicom && words.agreement(picture.answer.dicom),
};
const SHOWN = { Probability: words.percent, Strangeness: (score) => score.toFixed(2) };

const head = document.querySelector("#many thead tr");
const body = document.querySelector("#many tbody");
let order = null;

/** The column heads; `pictures()` gives what is to be sorted. */
export function prepare(pictures) {
  for (const name of Object.keys(COLUMNS)) {
    const button = element("button", { textContent: name });
    const column = element("th", { scope: "col" }, button);
    button.onclick = () => {
      const descending = column.ariaSort === "ascending";
      for (const other of head.children) other.ariaSort = null;
      column.ariaSort = descending ? "descending" : "ascending";
      order = { value: COLUMNS[name], sign: descending ? -1 : 1 };
      sort(pictures());
    };
    head.append(column);
  }
}

export function add(picture) {
  const cells = Object.entries(COLUMNS).map(([name, value]) => cell(name, value(picture)));
  cells[0].replaceChildren(element("a", { href: `#${picture.id}`, textContent: picture.name }));
  if (picture.error) cells[1].className = "error";
  else if (picture.answer.label === null) cells[1].className = "stranger";
  picture.row = element("tr", {}, ...cells);
  body.append(picture.row);
}

/** In the order that was asked for, or else that of the files; what has no value comes last. */
export function sort(pictures) {
  const [focused, judged] = [document.activeElement, pictures.filter(({ row }) => row)];
  if (order) judged.sort(compare);
  body.append(...judged.map(({ row }) => row));
  focused.focus();
}

export function clear() {
  body.replaceChildren();
}

export function csv(pictures, classes) {
  const names = ["path", "label", "confidence", "accepted", "ood_score", ...classes.map((name) => `p_${name}`)];
  const rows = [[...names, "modality", "body_part", "agrees", "model", "error"]];
  for (const { name, answer, error } of pictures) {
    const { label, confidence, accepted, ood_score, probabilities, dicom, model } = answer ?? {};
    const shares = classes.map((each) => probabilities?.[each]);
    const said = [dicom?.modality, dicom?.body_part, dicom?.agrees];
    rows.push([name, label, confidence, accepted, ood_score, ...shares, ...said, title(model), error]);
  }
  return rows.map((row) => `${row.map(quoted).join(",")}\r\n`).join("");
}

function cell(name, value) {
  const numeric = name in SHOWN;
  const missing = value === undefined || value === null;
  const textContent = missing ? "" : numeric ? SHOWN[name](value) : value;
  return element("td", { className: numeric ? "number" : "", textContent });
}

function compare(one, other) {
  const [left, right] = [order.value(one) ?? null, order.value(other) ?? null];
  if (left === null || right === null) return (left === null) - (right === null);
  const difference = typeof left === "number" ? left - right : left.localeCompare(right, "en", { numeric: true });
  return order.sign * difference;
}

const title = (model) => model && `${model.name}-${model.version}`;

/** A file's name or a header may be a formula to a spreadsheet; behind an apostrophe it is text. */
function quoted(value) {
  const text = typeof value === "string" && /^[=+\-@\t\r]/.test(value) ? `'${value}` : String(value ?? "");
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
