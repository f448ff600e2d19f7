// Many pictures as a table to sort.

import { element } from "./elements.js";
import { reason, urgency } from "./look.js";
import * as words from "./words.js";

const COLUMNS = [
  { name: "File", value: (picture) => picture.name },
  { name: "Answer", value: ({ answer, error }) => error ?? (answer ? words.label(answer) : "not judged") },
  { name: "Probability", value: ({ answer }) => (answer?.label ? answer.confidence : null), shown: words.percent },
  { name: "DICOM header", value: ({ answer }) => answer?.dicom && `${words.header(answer.dicom)} (${words.agreement(answer.dicom)})` },
  { name: "To look at", value: urgency, shown: (_, picture) => reason(picture) },
];

const head = document.querySelector("#many thead tr");
const body = document.querySelector("#many tbody");
let order = { value: urgency, sign: 1 };
let follow = null;

/** The column heads, which call `arrange` when another order is asked for; `reach` is told which card is followed to. */
export function prepare(arrange, reach) {
  follow = reach;
  for (const { name, value } of COLUMNS) {
    const button = element("button", { textContent: name });
    const column = element("th", { scope: "col", ariaSort: value === order.value ? "ascending" : null }, button);
    button.onclick = () => {
      const descending = column.ariaSort === "ascending";
      for (const other of head.children) other.ariaSort = null;
      column.ariaSort = descending ? "descending" : "ascending";
      order = { value, sign: descending ? -1 : 1 };
      arrange();
    };
    head.append(column);
  }
}

/** A row for the picture as it is now: where it had one, or else at the end. */
export function put(picture) {
  const before = picture.row;
  picture.row = row(picture);
  if (before?.isConnected) before.replaceWith(picture.row);
  else body.append(picture.row);
}

export function show(pictures) {
  body.replaceChildren();
  pictures.forEach(put);
}

/** In the order that was asked for; what has no value comes last, as it came. */
export function sorted(pictures) {
  return pictures.toSorted(compare);
}

function row(picture) {
  const made = element("tr", {}, ...COLUMNS.map((column) => cell(column, picture)));
  const link = element("a", { href: `#${picture.id}`, textContent: picture.name, onclick: () => follow(picture) });
  made.cells[0].replaceChildren(link);
  if (picture.error) made.cells[1].className = "error";
  else if (picture.answer?.label === null) made.cells[1].className = "stranger";
  return made;
}

function cell({ value, shown = (each) => each }, picture) {
  const found = value(picture);
  return element("td", {}, found === undefined || found === null ? "" : shown(found, picture));
}

function compare(one, other) {
  const [left, right] = [order.value(one) ?? null, order.value(other) ?? null];
  if (left === null || right === null) return (left === null) - (right === null);
  const difference = typeof left === "number" ? left - right : left.localeCompare(right, "en", { numeric: true });
  return order.sign * difference;
}
