// Many pictures as a table to sort, and as a CSV file with the columns of `classify`.

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

/**
 * The columns of classify's table but those of studies and slices, of which the service tells nothing. Neither does it tell
 * the size of what is no DICOM, nor the kind of what it refuses.
 */
export async function csv(pictures, classes) {
  const rows = [Object.keys(await row({}, classes))];
  for (const picture of pictures) rows.push(Object.values(await row(picture, classes))); // one file in memory at a time
  return rows.map((cells) => `${cells.map(quoted).join(",")}\r\n`).join("");
}

async function row({ name, file, answer, error }, classes) {
  const { label, confidence, accepted, ood_score, probabilities, dicom, model } = answer ?? {};
  return {
    path: name,
    sha256: file && (await sha256(file)),
    kind: answer && "picture",
    label,
    confidence,
    accepted,
    ood_score,
    ...Object.fromEntries(classes.map((each) => [`p_${each}`, probabilities?.[each]])),
    header_modality: dicom?.modality,
    header_body_part: dicom?.body_part,
    header_agrees: dicom?.agrees,
    suggested: dicom?.suggested && words.bodyPart(dicom.suggested),
    rows: dicom?.rows,
    columns: dicom?.columns,
    frames: dicom?.frames,
    error,
    model: model && `${model.name}-${model.version}`,
  };
}

/** Of the content, in hexadecimal; nothing where the browser does not compute it: on plain HTTP from elsewhere. */
async function sha256(file) {
  try {
    const digest = await crypto.subtle.digest("SHA-256", await file.arrayBuffer());
    return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
  } catch {
    return undefined; // or the file is gone
  }
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

/** A file's name or a header may be a formula to a spreadsheet; behind an apostrophe it is text. */
function quoted(value) {
  const text = typeof value === "string" && /^[=+\-@\t\r]/.test(value) ? `'${value}` : String(value ?? "");
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
